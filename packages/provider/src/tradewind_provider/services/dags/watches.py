"""What a dag processor is asked to do, and which of the bundles that it believes to lead it has to claim again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tradewind_protocol import dags as wire
from tradewind_provider.airflow import dag_bundles, dag_requests, dags
from tradewind_provider.services.agents import Agent
from tradewind_provider.services.dags import bundles
from tradewind_provider.store.dag_tables import DagBundle, DagCallbackGrant, DagFile
from tradewind_provider.store.tables import AgentSession

CALLBACKS_AT_ONCE = 20


def take_in(db: Session, agent: Agent, watch: wire.Watch, *, now: datetime) -> tuple[UUID, ...]:
    """Write down what a watch reports; once per request, before looking. Returns the callbacks granted. Idempotent."""
    led = bundles.led(db, agent, watch.instance)
    if watch.done:
        db.execute(
            delete(DagCallbackGrant).where(
                DagCallbackGrant.id.in_(watch.done), DagCallbackGrant.session_id == agent.session_id
            )
        )
    if watch.parsing:
        dag_requests.forget_parse_requests(db, watch.parsing, led)
    return tuple(one for one in watch.confirm if _grant(db, agent, watch.instance, one, led, now=now))


def look(db: Session, agent: Agent, watch: wire.Watch, *, first: bool, now: datetime) -> wire.News:
    """What there is for this dag processor. `first`: also whether it holds what the plane holds; later looks of one
    request leave that out, because its own reports change it meanwhile."""
    dag_bundles.beat(db, agent.session_id, agent_name=agent.name, now=now)
    led = bundles.led(db, agent, watch.instance)
    if first:
        for row in led.values():
            invalidate_lost(db, row)
    parse = dag_requests.parse_requests(db, led)
    waiting = dag_requests.callbacks(db, led, limit=CALLBACKS_AT_ONCE)
    return wire.News(
        parse=tuple(wire.ParseRequest(id=one.id, bundle=one.bundle, path=one.path) for one in parse),
        callbacks=tuple(
            wire.CallbackOffer(id=one.id, bundle=one.bundle, request=one.request) for one in waiting
        ),
        claim=tuple(sorted(_to_claim(db, watch, led, first=first))),
    )


def invalidate_lost(db: Session, row: DagBundle) -> None:
    """Ask again for files whose Dags Airflow does not have any more as they were stored: a person deleted a Dag, or the
    bundle was switched off by another process."""
    if not dag_bundles.is_active(db, row.name):
        dag_bundles.reactivate(db, row.name)
    expected = db.scalar(select(func.coalesce(func.sum(DagFile.live), 0)).where(DagFile.bundle == row.name))
    if expected == dags.live_count(db, row.name):
        return
    live = dags.live(db, row.name)
    changed = False
    for file in db.scalars(select(DagFile).where(DagFile.bundle == row.name)).all():
        if file.content and file.live > sum(dag_id in live for dag_id in file.dag_ids):
            file.content = ""
            file.live = sum(dag_id in live for dag_id in file.dag_ids)
            changed = True
    if changed:
        row.mark = bundles.new_mark()
        db.flush()


def _grant(
    db: Session, agent: Agent, instance: UUID, callback_id: UUID, led: Collection[str], *, now: datetime
) -> bool:
    grant = db.get(DagCallbackGrant, callback_id)
    if grant is not None:
        return grant.session_id == agent.session_id and grant.instance == instance
    taken = dag_requests.take_callback(db, callback_id, led)
    if taken is None:
        return False
    db.add(
        DagCallbackGrant(
            id=taken.id,
            bundle=taken.bundle,
            session_id=agent.session_id,
            instance=instance,
            label=taken.label,
            granted_at=now,
        )  # fmt: skip
    )
    db.flush()
    return True


def _to_claim(db: Session, watch: wire.Watch, led: dict[str, DagBundle], *, first: bool) -> set[str]:
    believed = {name for name, mark in watch.marks.items() if mark}
    wrong = {name for name in believed if name not in led}
    if first:
        wrong |= {name for name in believed & set(led) if led[name].mark != watch.marks[name]}
    on_standby = set(watch.marks) - believed
    if on_standby:
        taken = db.scalars(
            select(DagBundle.name)
            .join(AgentSession, AgentSession.id == DagBundle.session_id)
            .where(DagBundle.name.in_(on_standby), AgentSession.ended_at.is_(None))
        )
        wrong |= on_standby - set(taken)
    return wrong
