"""Networks and addresses of the internet protocol, as lists of allowed addresses have them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

_MAPPED: Final = 96
"""The length of ::ffff:0:0/96, in which version 6 has the addresses of version 4."""


def network(text: str) -> Network:
    """One network or one address; of version 4 also with ::ffff: in front, as addresses are compared without it. Raises
    ValueError, also for an address with bits behind its prefix: 10.1.2.3/8 may mean 10.1.2.3 or 10.0.0.0/8, and only its
    author knows."""
    found: Network = ip_network(text.strip())
    if isinstance(found, IPv6Network) and found.prefixlen >= _MAPPED:
        mapped = found.network_address.ipv4_mapped
        return found if mapped is None else IPv4Network((mapped, found.prefixlen - _MAPPED))
    return found


def bare(text: str) -> str:
    """An address without the port some proxies add ("203.0.113.7:1234", "[::1]:80") and without ::ffff: in front.
    What is no address comes back as it is, 64 characters at the most."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    found = _address(text)
    return str(found) if found is not None else text[:64]


def within(address: str, among: Iterable[Network]) -> bool:
    """Whether the address is in one of the networks. What is no address is in none."""
    found = _address(address)
    return found is not None and any(found in one for one in among if one.version == found.version)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
