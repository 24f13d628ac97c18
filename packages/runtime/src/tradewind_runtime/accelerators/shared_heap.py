"""Arranging a process's memory so that what it forks copies little of it. Nothing here changes what a program does."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from itertools import pairwise, repeat


def freeze() -> None:
    """What is alive now is shared with every process forked from here on: keep the collector from writing to it.
    Call it once, when everything is imported; the collector stays off in this process."""
    gc.collect()
    _fill_holes()
    gc.freeze()
    gc.disable()
    settle()


_POOL = 16 * 1024
"""Bytes in which Python keeps objects of one size (`POOL_SIZE` of its obmalloc, since 3.10)."""

_MOST = 16 * 1024 * 1024
"""Bytes of fillings. One is enough; with another allocator than Python's own (`PYTHONMALLOC`) objects never come to lie one
after the other."""

_NUMBERS = 65_536
"""Fillings of the smallest size, 24 bytes."""

_fillings: list[list[float] | list[bytes]] = []


def _fill_holes() -> None:
    """Leave no room between objects that are shared: what a forked process makes would go there, and have a page
    copied for each few bytes."""
    # The smallest are numbers mostly, which come and go while this is done: what would lie together does not.
    _fillings.append(list(map(float, repeat(0, _NUMBERS))))
    left = _MOST
    for size in range(48, 513, 16):
        together = False
        while left > 0 and not together:  # in a pool that nobody had used
            # Bytes have a head of 32, and a zero at their end.
            some = list(map(bytes, repeat(size - 33, _POOL // 4 // size)))
            beside = sum(id(b) - id(a) == size for a, b in pairwise(some))
            together = beside > len(some) // 2  # what this line makes lies among them
            _fillings.append(some)
            left -= _POOL // 4


def settle() -> None:
    """Tidy the C heap, so that processes forked after this do not each do it on a copy of their own.

    glibc merges small freed pieces when a larger one is asked for next, which writes beside every one of them, all
    over the heap: measured, 1.8 MB copied by each process within its first moments. Elsewhere this does nothing.
    """
    with suppress(OSError, AttributeError):
        ctypes.PyDLL(None).malloc_trim(0)  # merges
        bytearray(60_000)  # sorts what was merged
        bytearray(100_000)
