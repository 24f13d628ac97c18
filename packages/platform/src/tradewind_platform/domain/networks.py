"""Networks, as people write them."""

from __future__ import annotations

from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.networks import network


def in_cidr(text: str) -> str:
    """The network in CIDR notation, also of one address. Raises Refused MALFORMED for what is none."""
    try:
        return str(network(text))
    except ValueError as error:
        raise Refused(
            Code.MALFORMED,
            f"{text!r} is no network: {error}",
            remedy="Write it as 203.0.113.0/24, or one address.",
        ) from None
