"""Triggers on agents: which agent runs which, what triggerers report, what they are to create and to stop."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tradewind_protocol import triggers as wire
from tradewind_protocol.errors import Code, Refused
from tradewind_provider import notifications
from tradewind_provider.airflow import database, trigger_jobs, trigger_workloads
from tradewind_provider.airflow import triggers as airflow_triggers
from tradewind_provider.airflow.triggers import TriggerFingerprint
from tradewind_provider.services import storages, work_routes
from tradewind_provider.services.agents import Agent
from tradewind_provider.store.tables import AgentSession
from tradewind_provider.store.trigger_tables import TriggerSource

log = logging.getLogger(__name__)

MOST_CREATED: Final = 500
"""Triggers created by one answer; more of them are asked for at once."""

ROUNDS: Final = 4
"""Assignments of one answer: a host that comes back to thousands has them in seconds, and others get their share."""

LARGEST_ANSWER: Final = 8 * 1024 * 1024
"""Characters of arguments and Dags in one answer, about; a single larger trigger still goes out, alone."""

BEAT_SECONDS: Final = 8.0
"""A job's heartbeat is refreshed when it is older than this: Airflow calls a triggerer unhealthy after 30 s."""

REMEMBERED: Final = timedelta(days=14)
"""How long the numbers of a host that is gone are kept."""


@dataclass(frozen=True)
class TriggerAnswer:
    """What a host is answered, and the fingerprint of what it has now: while that stays the same, there is nothing to answer."""

    answer: wire.SyncAnswer
    job_id: int
    assigned: TriggerFingerprint

    @property
    def is_news(self) -> bool:
        answer = self.answer
        return bool(answer.create or answer.cancel or answer.moved or answer.more)


def look(
    db: Session, agent: Agent, sync: wire.Sync, *, alive_since: datetime, now: datetime
) -> TriggerAnswer:
    """Assign what is free to this host as far as it has room, and say what it is to create and to stop.

    Idempotent: what was handed out is not remembered; a trigger is in the answer until `sync.running` has it.
    `alive_since`: triggers of jobs last heard from before are free. Raises Refused SESSION_EXPIRED.
    """
    running = _ids(sync.running)
    job_id = job_of(db, agent, now=now)
    if sync.working:
        trigger_jobs.beat(db, [job_id], now=now, older_than=now - timedelta(seconds=BEAT_SECONDS))
    serves = served(db, agent, sync)
    capacity = agent.trigger_capacity if sync.capacity is None else min(sync.capacity, agent.trigger_capacity)
    mine = airflow_triggers.assigned(db, job_id)
    elsewhere = airflow_triggers.owners(db, running - mine)
    if elsewhere:
        mine |= airflow_triggers.adopt(
            db, job_id, elsewhere, room=capacity - len(mine), served=serves, alive_since=alive_since
        )
    takes = sync.working and not storages.has_another_key(db, agent.session_id)
    for _ in range(ROUNDS if takes else 0):
        taken = airflow_triggers.assign(
            db, job_id, room=capacity - len(mine), served=serves, alive_since=alive_since
        )
        mine |= taken
        if len(taken) < airflow_triggers.AT_A_TIME:
            break
    create, more = _create(db, sorted(mine - running))
    answer = wire.SyncAnswer(
        create=create,
        cancel=tuple(sorted(running - mine - elsewhere.keys())),
        moved=tuple(sorted(elsewhere.keys() - mine)),
        more=more,
    )
    return TriggerAnswer(answer=answer, job_id=job_id, assigned=TriggerFingerprint.of(mine))


def job_of(db: Session, agent: Agent, *, now: datetime) -> int:
    """The id of the session's TriggererJob, made on first use. Raises Refused SESSION_EXPIRED when it has ended."""
    if (job_id := trigger_jobs.find(db, agent.session_id)) is not None:
        return job_id
    # the write locks the session's row (SQLite: the database), so that two requests make one job between them
    found = db.execute(
        update(AgentSession)
        .where(AgentSession.id == agent.session_id, AgentSession.ended_at.is_(None))
        .values(name=AgentSession.name)
        .execution_options(synchronize_session=False)
    )
    if not found.rowcount:  # type: ignore[attr-defined]
        raise Refused(
            Code.SESSION_EXPIRED,
            f"the session of agent {agent.name!r} has ended",
            remedy="open a new session",
        )
    if (job_id := trigger_jobs.find(db, agent.session_id)) is not None:
        return job_id
    db.execute(delete(TriggerSource).where(TriggerSource.updated_at < now - REMEMBERED))
    job_id = trigger_jobs.start(db, agent.session_id, agent_name=agent.name, now=now)
    log.info(
        "Agent %s runs triggers as triggerer job %s",
        agent.name,
        job_id,
        extra={"action": "triggerer_started"},
    )
    return job_id


def release_triggers(db: Session, session_id: UUID, now: datetime) -> None:
    """Let others have the triggers of this session at once. Idempotent; sessions without triggers are fine."""
    if trigger_jobs.end(db, session_id, now=now):
        notifications.publish(db, notifications.TRIGGERS)


def trigger_of_task_instance(db: Session, session_id: UUID, ti_id: UUID) -> bool:
    """True when the trigger that task instance waits for is assigned to that session: what a triggerer may ask
    about a task instance goes by this."""
    return trigger_jobs.runs_trigger_of(db, session_id, ti_id)


def holds_trigger_of_task(
    db: Session, session_id: UUID, *, dag_id: str, run_id: str, task_id: str, map_index: int
) -> bool:
    """True when that task instance waits for a trigger that is assigned to that session."""
    return trigger_jobs.runs_trigger_of_task(db, session_id, (dag_id, run_id, task_id, map_index))


def holds_trigger_of_asset(db: Session, session_id: UUID, *, name: str | None, uri: str | None) -> bool:
    """True when a trigger that is assigned to that session watches the asset of that name and URI, one of them given."""
    return trigger_jobs.runs_watcher_of(db, session_id, name=name, uri=uri)


def _create(db: Session, missing: list[int]) -> tuple[tuple[wire.CreateTrigger, ...], bool]:
    some = missing[:MOST_CREATED]
    if not some:
        return (), False
    workloads = trigger_workloads.build(db, some)
    for trigger_id, reason in workloads.broken:
        log.error(
            "Trigger %s cannot be run, its task fails: %s",
            trigger_id,
            reason,
            extra={"action": "trigger_broken"},
        )
        airflow_triggers.submit_failure(db, trigger_id, [f"The trigger cannot be run: {reason}\n"])
    fitting: list[wire.CreateTrigger] = []
    size = 0
    for one in workloads.create:
        size += len(one.arguments) + (len(str(one.dag_data)) if one.dag_data else 0) + 2_000
        if fitting and size > LARGEST_ANSWER:
            break
        fitting.append(one)
    return tuple(fitting), len(fitting) < len(workloads.create) or len(some) < len(missing)


def served(db: Session, agent: Agent, sync: wire.Sync) -> airflow_triggers.ServedTriggers:
    """Triggers of Dags whose bundle the agent's site owns and the agent has; of the queues that the host serves, as Airflow's
    `--queues`, else those of the agent's tasks, and what has none."""
    found = db.execute(
        select(AgentSession.environments, AgentSession.bundles).where(AgentSession.id == agent.session_id)
    ).one_or_none()
    environments, named = found if found is not None else ((), ())
    inside = {name for environment in environments for name in environment.get("bundles") or ()}
    bundles = frozenset(work_routes.of_site(db, agent.site, {*named, *inside}))
    if sync.queues:
        return airflow_triggers.ServedTriggers(frozenset(sync.queues), unqueued=False, bundles=bundles)
    queues = {queue for environment in environments for queue in environment.get("queues", ())}
    return airflow_triggers.ServedTriggers(frozenset(queues), unqueued=True, bundles=bundles)


def _ids(packed: str) -> frozenset[int]:
    try:
        return wire.unpack_ids(packed)
    except ValueError as error:
        raise Refused(Code.MALFORMED, f"running: {error}") from None


@dataclass(frozen=True)
class TriggerSurvey:
    """Which triggers every triggerer has, and which are free, in a few numbers."""

    by_job: dict[int, TriggerFingerprint]
    free: TriggerFingerprint


def survey(db: Session, *, beating: Collection[int], alive_since: datetime, now: datetime) -> TriggerSurvey:
    """One cheap look for all requests that wait: deletes what is unused, refreshes heartbeats, counts the rest."""
    airflow_triggers.clean_unused(db)
    trigger_jobs.beat(db, beating, now=now, older_than=now - timedelta(seconds=BEAT_SECONDS))
    by_job: dict[int, TriggerFingerprint] = {}
    free = TriggerFingerprint()
    alive = frozenset(db.scalars(trigger_jobs.alive(alive_since)).all())
    for owner, one in airflow_triggers.prints(db).items():
        if owner is not None:
            by_job[owner] = one
        if owner not in alive:
            free += one
    return TriggerSurvey(by_job=by_job, free=free)


def surveyed(*, beating: Collection[int], alive_since: datetime, now: datetime) -> TriggerSurvey:
    """`survey` in a transaction of its own. Blocks."""
    with database.create_session() as db:
        return survey(db, beating=beating, alive_since=alive_since, now=now)
