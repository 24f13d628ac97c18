"""Work for processes, in a module: spawned ones import it."""

from __future__ import annotations


def square(number: int) -> int:
    """What a pool computes."""
    return number * number
