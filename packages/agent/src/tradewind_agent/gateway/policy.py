"""The site's rules, as an agent's settings give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tradewind_agent.settings import Settings
from tradewind_protocol.boundary import KINDS, SCHEMES, KeptField, Rules
from tradewind_protocol.sessions import Policy

GatewayPolicy = Rules
"""What may leave the site, kind by kind. `GatewayPolicy().policy` is what to ask the plane for in OpenSession."""

SWITCHES: Final = KINDS
"""The kinds a setting can open or close by itself."""


def of(settings: Settings, plane: Policy = Policy.OPEN) -> GatewayPolicy:
    """The rules that hold at a site: what its settings open, and no more than `plane`, the policy the Deployment gives
    it, allows."""
    chosen = {name: value for name in SWITCHES if (value := getattr(settings, name)) is not None}
    return from_settings(
        settings.policy,
        chosen,
        references=settings.references,
        dag_fields=map(KeptField.parse, settings.dag_fields),
    ).at_least(plane)


def from_settings(
    policy: Policy,
    switches: Mapping[str, Policy] | None = None,
    *,
    references: Iterable[str] = (),
    dag_fields: Iterable[KeptField] = (),
) -> GatewayPolicy:
    """Rules from one policy for everything, changed for some kinds.

    `references` are more URL schemes that count as references ("minio"); `dag_fields` are fields of Dags that leave
    although `dags` is strict. Raises ValueError for a kind that is none.
    """
    chosen = dict.fromkeys(SWITCHES, policy)
    for name, value in (switches or {}).items():
        if name not in chosen:
            raise ValueError(f"{name!r} is no kind of data; there are {', '.join(SWITCHES)}")
        chosen[name] = Policy(value)
    schemes = SCHEMES | {scheme.lower().removesuffix("://") for scheme in references}
    return Rules(**chosen, schemes=schemes, dag_fields=tuple(dag_fields))
