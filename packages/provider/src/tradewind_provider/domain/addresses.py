"""From where agents may connect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """`"10.0.0.0/8, ::1"` as networks. Raises ValueError naming the first part that is none."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


@dataclass(frozen=True)
class Gate:
    """Who may pass, and whose word on where a request comes from is believed."""

    allowed: tuple[Network, ...] = ()  # empty: everybody
    proxies: tuple[Network, ...] = ()

    def admits(self, source: str) -> bool:
        """True when `source`, as `source_of` gives it, may connect."""
        return not self.allowed or _within(source, self.allowed)

    def source_of(self, peer: str, forwarded: Sequence[str]) -> str:
        """Where a request comes from: its peer, or, as long as each one on the way is a trusted proxy, whom that proxy
        names. `forwarded` is X-Forwarded-For in its order. What an untrusted one says of others is not believed."""
        source = peer
        for named in reversed(forwarded):
            if not _within(source, self.proxies):
                break
            source = named.strip()
        return source


def _within(address: str, among: Sequence[Network]) -> bool:
    try:
        found: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in among if network.version == found.version)
