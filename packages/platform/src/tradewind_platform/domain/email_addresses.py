"""When two e-mail addresses are the same."""

from __future__ import annotations


def folded(address: str) -> str:
    """The address in lower case, when it is one of ASCII. Another one is the same as itself only: Python's and the databases' lower case
    make an `a` of no other letter, but a `k` of the sign of Kelvin, and who has one address need not have the other."""
    return address.lower() if address.isascii() else address
