"""From where agents may connect."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from tradewind_protocol.networks import Network, bare, network, within


def networks(text: str) -> tuple[Network, ...]:
    """`"10.0.0.0/8, ::1"` as networks. Raises ValueError naming the first part that is none."""
    return tuple(network(part) for part in text.split(",") if part.strip())


PRIVATE: Final = tuple(
    ip_network(one) for one in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
"""Where clients live beside proxies: RFC 1918, RFC 6598 and RFC 4193."""

MOST_PROXIES: Final = 256
"""Addresses in a private network of trusted proxies. More is a network of machines, not of proxies."""


def too_wide(proxies: Sequence[Network]) -> tuple[Network, ...]:
    """Those of `proxies` that hold more private addresses than a set of proxies does. A client within one of them is
    taken for a proxy: behind a proxy that appends to X-Forwarded-For it can then claim any address."""
    return tuple(
        one
        for one in proxies
        if one.num_addresses > MOST_PROXIES
        and any(one.version == other.version and one.overlaps(other) for other in PRIVATE)
    )


def proxy_warnings(proxies: Sequence[Network]) -> tuple[str, ...]:
    """One sentence for each network of [tradewind] trusted_proxies that is too wide, with the remedy."""
    return tuple(
        f"[tradewind] trusted_proxies has {one}, a private network of {one.num_addresses} addresses: a client in it is "
        "taken for a proxy and can claim any address. Name the exact addresses of the proxies."
        for one in too_wide(proxies)
    )


UNREADABLE: Final = "unreadable"
"""The endpoint of a request whose gateway names none that is well formed. No list can have it."""

PUBLIC: Final = "public"
"""What a gateway says of a request that came by no private endpoint."""

_ENDPOINT: Final = re.compile(r"aws:vpce-[A-Za-z0-9-]{1,64}|azure:[0-9]{1,10}|gcp:[0-9]{1,20}")


def endpoint(text: str) -> str:
    """A private endpoint as its cloud names it: aws:<VPC endpoint id>, azure:<link identifier>, gcp:<connection id>.
    Raises ValueError for anything else."""
    text = text.strip()
    if _ENDPOINT.fullmatch(text) is None:
        raise ValueError(f"{text!r} does not name a private endpoint")
    return text


@dataclass(frozen=True)
class AddressGate:
    """Who may pass, and whose word on where a request comes from is believed.

    Addresses behind a private endpoint are private and not unique: two customers' networks can have the same ones. Therefore
    `allowed` never admits a request that came by an endpoint, and `endpoints` never one that came the public way.
    """

    allowed: tuple[Network, ...] = ()  # empty: all
    proxies: tuple[Network, ...] = ()
    gateways: tuple[Network, ...] = ()  # the proxies whose word on the endpoint is believed
    endpoints: frozenset[str] = frozenset()
    private_only: bool = False  # the public way is shut

    @property
    def restricts(self) -> bool:
        """False as long as agents may connect from anywhere."""
        return bool(self.allowed or self.endpoints or self.private_only)

    def admits(self, source: str, endpoint: str = "") -> bool:
        """True when a request may pass that came by `endpoint` (empty: the public way) from `source`, as `source_of` gives it."""
        if endpoint:
            return endpoint in self.endpoints or not self.restricts
        return not self.private_only and (not self.allowed or within(source, self.allowed))

    def endpoint_of(self, peer: str, named: Sequence[str], *, rewritten: bool = False) -> str:
        """The private endpoint that a gateway says a request came by; empty: the public way. `named` is each value of the header.

        What another peer than a gateway says is not believed, and a gateway has to say something: one that fails to read the
        endpoint must not open the public way. `rewritten`: as in `source_of`. The peer is not known then, so
        that what is named can be neither believed nor taken for the public way.
        """
        if rewritten:
            return UNREADABLE if named and self.gateways else ""
        if not within(bare(peer), self.gateways):
            return ""
        if len(named) != 1:
            return UNREADABLE
        if named[0] == PUBLIC:
            return ""
        try:
            return endpoint(named[0])
        except ValueError:
            return UNREADABLE

    def source_of(self, peer: str, forwarded: Sequence[str], *, rewritten: bool = False) -> str:
        """Where a request comes from: its peer, or, as long as each one on the way is a trusted proxy, whom that proxy
        names. `forwarded` is X-Forwarded-For in its order. What an untrusted one says of others is not believed.

        `rewritten`: the web server has already put an address from X-Forwarded-For in the place of the peer, so that the
        peer itself is not known. It is then taken for a proxy, as the web server was told to, and only the last one
        it names is believed; the first one is whatever the client likes to say.
        """
        source, trusted = bare(peer), rewritten
        for named in reversed(forwarded):
            if not (trusted or within(source, self.proxies)):
                break
            source, trusted = bare(named), False
        return source
