"""From where an organization's pages and API may be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tradewind_protocol.networks import Network, network, within


@dataclass(frozen=True)
class AllowedAddresses:
    """Networks; without one, any address is allowed."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> AllowedAddresses:
        """From networks in CIDR notation. Raises ValueError for what is none."""
        return cls(tuple(network(one) for one in texts))

    def admits(self, address: str) -> bool:
        """Whether a request from there is answered. What is no address is in no network."""
        return not self.networks or within(address, self.networks)
