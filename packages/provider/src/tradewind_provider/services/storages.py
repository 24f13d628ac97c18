"""Where task environments keep XCom values, compared with the other agents of their site before they get work."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol.polling import Finding
from tradewind_provider.domain import storages
from tradewind_provider.domain.storages import StorageHolder
from tradewind_provider.store.tables import AgentSession

_MOST: Final = 200
"""Sessions of a site that a new one is compared with: those that are open longest."""


def compare(db: Session, session: AgentSession) -> None:
    """Note in each environment of the session whether its storage is another one than that of the agents that are there
    already. One that only differs from environments that get no work for this very reason is the first. Idempotent."""
    bundles = frozenset(session.bundles)
    mine = [(one, _holder(session.name, one, bundles)) for one in session.environments]
    if not any(holder.base or holder.key for _, holder in mine) and not in_conflict(session):
        return
    there = [
        _holder(row.name, one, frozenset(row.bundles))
        for row in db.execute(
            select(AgentSession.name, AgentSession.environments, AgentSession.bundles)
            .where(
                AgentSession.id != session.id,
                AgentSession.site == session.site,
                AgentSession.ended_at.is_(None),
                AgentSession.lost_at.is_(None),
            )
            .order_by(AgentSession.opened_at)
            .limit(_MOST)
        )
        for one in row.environments
        if not one.get("held")
    ]
    compared = []
    for one, holder in mine:
        found = storages.conflict(holder, there)
        compared.append(
            {
                **{name: value for name, value in one.items() if name not in _NOTED},
                **({} if found is None else _noted(found, holder)),
            }
        )
    session.environments = compared


_NOTED: Final = ("conflict", "held", "remedy", "keys")


def _noted(found: storages.StorageConflict, holder: StorageHolder) -> dict[str, Any]:
    return {
        "conflict": found.said_of(holder),
        "held": found.holds,
        "remedy": found.remedy,
        "keys": found.keys,
    }


def has_another_key(db: Session, session_id: UUID) -> bool:
    """True for a session whose agent cannot open what others of its site have sealed: it gets no triggers."""
    found = db.scalar(select(AgentSession.environments).where(AgentSession.id == session_id))
    return any(one.get("keys") for one in found or ())


def in_conflict(session: AgentSession) -> bool:
    """True when an environment was found to have another storage than others of its site."""
    return any(one.get("conflict") for one in session.environments)


def held(environment: dict[str, Any]) -> bool:
    """True when an environment, as it is kept, gets no work for its storage."""
    return bool(environment.get("held"))


def findings(session: AgentSession) -> list[Finding]:
    """What was found, in the form of the agent's own checks."""
    return [
        Finding(
            check=f"{'site_key' if one.get('keys') else 'storage'}:{one['name']}"[:100],
            message=str(one["conflict"])[:2000],
            remedy=str(one.get("remedy", storages.REMEDY)),
        )
        for one in session.environments
        if one.get("conflict")
    ]


def _holder(agent: str, environment: dict[str, Any], of_session: frozenset[str]) -> StorageHolder:
    xcom = environment.get("xcom") or {}
    own = environment.get("bundles")
    return StorageHolder(
        agent=agent,
        environment=str(environment["name"]),
        queues=frozenset(environment["queues"]),
        bundles=of_session if own is None else frozenset(own),
        base=str(xcom.get("base", "")),
        mark=str(xcom.get("mark", "")),
        key=str(environment.get("key", "")),
    )
