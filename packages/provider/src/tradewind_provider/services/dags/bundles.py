"""Which agent leads which bundle.

A bundle belongs to the site that claimed it first, until an operator releases it. Of a site's dag processors one is the leader,
the others are on standby. A claim by another site is refused, and so is a claim of a bundle that the plane itself has: an agent
may neither replace the plane's Dags nor stand in for them.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tradewind_protocol import dags as wire
from tradewind_protocol.dags import Role
from tradewind_protocol.errors import Code, Refusal, Refused
from tradewind_provider import notifications
from tradewind_provider.airflow import dag_bundles, dags
from tradewind_provider.services import audit, work_routes
from tradewind_provider.services.agents import Agent
from tradewind_provider.store.dag_tables import DagBundle, DagCallbackGrant, DagFile
from tradewind_provider.store.tables import AgentSession

log = logging.getLogger(__name__)


def claim(db: Session, agent: Agent, asked: wire.Claim, *, now: datetime) -> wire.Claimed:
    """Settle the role for every bundle asked for; bundles that this agent led and does not name are retired.

    Idempotent. A new dag processor process of the same session takes over from the one before it.
    """
    _lose_grants(db, now=now, session_id=agent.session_id, but=asked.instance)
    dag_bundles.beat(db, agent.session_id, agent_name=agent.name, now=now)
    _retire_unnamed(db, agent, {one.name for one in asked.bundles} | set(asked.kept), now=now)
    return wire.Claimed(bundles=tuple(_claim_one(db, agent, asked, one, now=now) for one in asked.bundles))


def lock_led(db: Session, agent: Agent, instance: UUID, name: str) -> DagBundle:
    """The bundle's row, locked, when this dag processor leads it. Raises Refused BUNDLE_NOT_YOURS."""
    row = db.get(DagBundle, name, with_for_update=True)
    if row is None or row.session_id != agent.session_id or row.instance != instance:
        leader = "no agent has claimed it" if row is None else f"agent {row.agent_name!r} does"
        raise Refused(
            Code.BUNDLE_NOT_YOURS,
            f"this dag processor of agent {agent.name!r} does not lead bundle {name!r}: {leader}",
            remedy="claim it again",
        )
    return row


def led(db: Session, agent: Agent, instance: UUID) -> dict[str, DagBundle]:
    """The bundles this dag processor leads, by name."""
    rows = db.scalars(
        select(DagBundle).where(DagBundle.session_id == agent.session_id, DagBundle.instance == instance)
    )
    return {row.name: row for row in rows}


def new_mark() -> str:
    return uuid4().hex


def release_bundles(db: Session, session_id: UUID, now: datetime) -> None:
    """Let the standby dag processors of the site have the bundles of this session at once. Idempotent."""
    freed: Any = db.execute(
        update(DagBundle)
        .where(DagBundle.session_id == session_id)
        .values(session_id=None, instance=None)
        .execution_options(synchronize_session="fetch")
    )
    _lose_grants(db, now=now, session_id=session_id, but=None)
    dag_bundles.end(db, session_id, now=now)
    if freed.rowcount:
        notifications.publish(db, notifications.DAGS)


def release(db: Session, name: str, *, actor: str, reason: str, now: datetime) -> bool:
    """An operator's decision: the bundle has no owner, its Dags go stale, and the next site to claim it has it.

    False when neither a site nor the plane has it. Raises Refused CONFLICT when the plane's configuration names it.
    """
    if name in dag_bundles.configured():
        raise Refused(
            Code.CONFLICT,
            f"bundle {name!r} is one of this plane's own: [dag_processor] dag_bundle_config_list names it",
            remedy="take it out of the plane's configuration, restart the plane, and release it then",
        )
    row = db.get(DagBundle, name, with_for_update=True)
    if row is not None:
        detail = {"site": row.site, "agent": row.agent_name}
        _retire(db, row)
    elif dag_bundles.is_active(db, name):
        detail = {"site": "", "agent": ""}
        dags.retire(db, name)
    else:
        return False
    audit.record(
        db, action="bundle_released", actor=actor, subject=f"bundle:{name}", reason=reason, now=now,
        detail=detail,
    )  # fmt: skip
    notifications.publish(db, notifications.DAGS)
    return True


def _claim_one(
    db: Session, agent: Agent, claim: wire.Claim, asked: wire.BundleClaim, *, now: datetime
) -> wire.BundleClaimed:
    row = db.get(DagBundle, asked.name, with_for_update=True)
    if refusal := _refusal(db, row, agent, asked.name):
        return _refused(db, asked.name, agent, refusal, now=now)
    if row is None:
        row = DagBundle(
            name=asked.name, site=agent.site, token_id=agent.token_id, agent_id=agent.agent_id,
            agent_name=agent.name, session_id=None, instance=None, mark=new_mark(), claimed_at=now,
        )  # fmt: skip
        db.add(row)
        db.flush()
        work_routes.claimed(db, asked.name, agent.site)
    if row.session_id not in (None, agent.session_id) and _lives(db, row.session_id):
        return wire.BundleClaimed(
            name=asked.name, role=Role.STANDS_BY, another_key=_another_key(row, agent, claim.key)
        )
    if row.session_id is not None and row.session_id != agent.session_id:
        _lose_grants(db, now=now, session_id=row.session_id, but=None)
    another_key = _another_key(row, agent, claim.key)
    row.session_id, row.instance, row.key_print = agent.session_id, claim.instance, claim.key or None
    row.agent_id, row.agent_name = agent.agent_id, agent.name
    row.token_id, row.claimed_at = agent.token_id, now
    dag_bundles.activate(db, asked.name, template=asked.view_url_template, params=asked.template_params)
    version, at = dag_bundles.state(db, asked.name)
    db.flush()
    return wire.BundleClaimed(
        name=asked.name,
        role=Role.SPEAKS,
        mark=row.mark,
        version=version,
        refreshed_at=at,
        files=tuple(_held(db, asked.name)),
        another_key=another_key,
    )


def _another_key(row: DagBundle, agent: Agent, key: str) -> str:
    """The other agent of the site that claimed the bundle with another key than this one has; empty: none did."""
    differs = bool(row.key_print and key and row.key_print != key)
    return row.agent_name if differs and row.agent_id != agent.agent_id else ""


def _held(db: Session, bundle: str) -> list[wire.HeldFile]:
    """What is held of each file; files Airflow knows of and we do not are named without a content."""
    rows = db.scalars(select(DagFile).where(DagFile.bundle == bundle)).all()
    held = [wire.HeldFile(path=row.path, content=row.content, version=row.version) for row in rows]
    known = {row.path for row in rows} | {name for row in rows for name in row.error_paths}
    others = set(dags.live(db, bundle).values()) | dags.error_files(db, bundle)
    return held + [
        wire.HeldFile(path=path)
        for path in sorted(others)
        if path not in known and not any(path.startswith(f"{one}/") for one in known)
    ]


def _refusal(db: Session, row: DagBundle | None, agent: Agent, name: str) -> Refusal | None:
    """Why this agent's site may not have the bundle; None when it may."""
    if name in dag_bundles.configured() or (row is None and dag_bundles.is_planes(db, name)):
        return Refused(
            Code.BUNDLE_NOT_YOURS,
            f"bundle {name!r} is one of the orchestration plane's own, and agent {agent.name!r} of site "
            f"{agent.site!r} cannot have it",
            remedy="name the bundle differently in this agent's configuration; or ask the operators of the plane to "
            "take it out of their [dag_processor] dag_bundle_config_list and to release it "
            f"(tradewind bundles release {name})",
        ).refusal
    if row is not None and row.site != agent.site:
        return Refused(
            Code.BUNDLE_NOT_YOURS,
            f"bundle {name!r} belongs to site {row.site!r} (agent {row.agent_name!r}), and agent {agent.name!r} to "
            f"site {agent.site!r}",
            remedy="name the bundle differently in this agent's configuration; or give this agent a token of site "
            f"{row.site!r}; or ask an operator of the plane to release the bundle (tradewind bundles release {name})",
        ).refusal
    return None


def _refused(db: Session, name: str, agent: Agent, refusal: Refusal, *, now: datetime) -> wire.BundleClaimed:
    audit.record(
        db, action="bundle_refused", actor=f"agent:{agent.name}", subject=f"bundle:{name}",
        reason=refusal.message, now=now, detail={"agent_id": str(agent.agent_id), "site": agent.site},
    )  # fmt: skip
    log.warning("%s", refusal.message, extra={"action": "bundle_refused"})
    return wire.BundleClaimed(name=name, role=Role.REFUSED, refusal=refusal)


def _lives(db: Session, session_id: UUID | None) -> bool:
    statement = select(AgentSession.id).where(AgentSession.id == session_id, AgentSession.ended_at.is_(None))
    return db.scalar(statement) is not None


def _retire_unnamed(db: Session, agent: Agent, named: set[str], *, now: datetime) -> None:
    """Its owner took a bundle out of its configuration. An agent on standby does not retire a bundle."""
    rows = db.scalars(
        select(DagBundle)
        .where(DagBundle.agent_id == agent.agent_id, DagBundle.site == agent.site)
        .with_for_update()
    ).all()
    for row in rows:
        if row.name in named or row.session_id not in (None, agent.session_id):
            continue
        _retire(db, row)
        audit.record(
            db, action="bundle_retired", actor=f"agent:{agent.name}", subject=f"bundle:{row.name}",
            reason="its agent does not have the bundle any more", now=now,
        )  # fmt: skip
        notifications.publish(db, notifications.DAGS)


def _retire(db: Session, row: DagBundle) -> None:
    dags.retire(db, row.name)
    db.execute(delete(DagFile).where(DagFile.bundle == row.name))
    db.delete(row)
    db.flush()


def _lose_grants(db: Session, *, now: datetime, session_id: UUID, but: UUID | None) -> None:
    """Callbacks a dag processor was granted and did not report before it ended. They may have run: never repeated."""
    condition = [DagCallbackGrant.session_id == session_id]
    if but is not None:
        condition.append(DagCallbackGrant.instance != but)
    for grant in db.scalars(select(DagCallbackGrant).where(*condition)).all():
        audit.record(
            db, action="callback_lost", actor=audit.PLANE, subject=f"bundle:{grant.bundle}",
            reason=f"the dag processor that was granted {grant.label} ended before it reported that it was done",
            now=now, detail={"callback_id": str(grant.id)},
        )  # fmt: skip
        db.delete(grant)
