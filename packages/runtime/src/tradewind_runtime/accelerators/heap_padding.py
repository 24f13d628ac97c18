"""No room between objects that are shared: what a forked process makes would go there, and have a page copied for each few
bytes."""

from __future__ import annotations

from itertools import pairwise, repeat


class HeapPadding:
    name = "heap_padding"

    def __init__(self) -> None:
        self._installed = False
        self._fillings: list[list[float] | list[bytes]] = []

    def applies(self) -> str | None:
        return None

    def install(self) -> None:
        self._installed = True

    def fill(self) -> None:
        if self._installed:
            _fill_holes(self._fillings)


_POOL = 16 * 1024
"""Bytes in which Python keeps objects of one size (`POOL_SIZE` of its obmalloc, since 3.10)."""

_MOST = 16 * 1024 * 1024
"""Bytes of fillings. One is enough; with another allocator than Python's own (`PYTHONMALLOC`) objects never come to lie one
after the other."""

_NUMBERS = 65_536
"""Fillings of the smallest size, 24 bytes."""


def _fill_holes(_fillings: list[list[float] | list[bytes]]) -> None:
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
