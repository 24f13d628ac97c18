"""When two e-mail addresses are the same."""

from __future__ import annotations

from collections.abc import Iterable


def folded(address: str) -> str:
    """The address in lower case, when it is one of ASCII. Another one is the same as itself only: Python's and the databases' lower case
    make an `a` of no other letter, but a `k` of the sign of Kelvin, and the owner of one address need not be that of the other."""
    return address.lower() if address.isascii() else address


def each_once(addresses: Iterable[str]) -> list[str]:
    """The addresses as they were written first, in their order."""
    found: dict[str, str] = {}
    for one in addresses:
        found.setdefault(folded(one), one)
    return list(found.values())
