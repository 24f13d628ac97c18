"""The site's rules, as an agent's settings give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tradewind_protocol.boundary import SCHEMES, Rules
from tradewind_protocol.sessions import Policy

GatewayPolicy = Rules
"""What may leave the site, kind by kind. `GatewayPolicy().policy` is what to ask the plane for in OpenSession."""

SWITCHES: Final = ("xcom", "connections", "variables", "templates", "store", "links")
"""The kinds a setting can open or close by itself."""


def from_settings(
    policy: Policy, switches: Mapping[str, Policy] | None = None, *, references: Iterable[str] = ()
) -> GatewayPolicy:
    """Rules from one policy for everything, changed for some kinds.

    `references` are more URL schemes that count as references ("minio"). Raises ValueError for a kind that is none.
    """
    chosen = dict.fromkeys(SWITCHES, policy)
    for name, value in (switches or {}).items():
        if name not in chosen:
            raise ValueError(f"{name!r} is no kind of data; there are {', '.join(SWITCHES)}")
        chosen[name] = Policy(value)
    return Rules(**chosen, schemes=SCHEMES | {scheme.lower().removesuffix("://") for scheme in references})
