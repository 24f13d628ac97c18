"""Arranging a process's memory so that what it forks copies little of it. Nothing here changes what a program does."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress


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

_MOST = 512 * 1024
"""Bytes of fillings of one size. Some 100,000 are enough; with another allocator than Python's own (`PYTHONMALLOC`) objects
never come to lie one after the other."""

_fillings: list[object] = []


def _fill_holes() -> None:
    """Leave no room between objects that are shared: what a forked process makes would go there, and have a page
    copied for each few bytes."""
    for size in range(32, 513, 16):
        last, fresh = 0, 0
        for _ in range(_MOST // size):
            # A float takes 24 bytes; bytes have a head of 32, and a zero at their end.
            filling: object = float(fresh) if size == 32 else bytes(size - 33)
            _fillings.append(filling)
            fresh = fresh + size if id(filling) == last + size else 0
            last = id(filling)
            if fresh >= _POOL // 2:  # one after the other: a pool that nobody had used
                break


def settle() -> None:
    """Tidy the C heap, so that processes forked after this do not each do it on a copy of their own.

    glibc merges small freed pieces when a larger one is asked for next, which writes beside every one of them, all
    over the heap: measured, 1.8 MB copied by each process within its first moments. Elsewhere this does nothing.
    """
    with suppress(OSError, AttributeError):
        ctypes.PyDLL(None).malloc_trim(0)  # merges
        bytearray(60_000)  # sorts what was merged
        bytearray(100_000)
