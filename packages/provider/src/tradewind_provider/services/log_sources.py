"""Which agents have a piece of a task's log, and asking one of them for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tradewind_protocol import hostnames
from tradewind_protocol.logs import StreamLog
from tradewind_protocol.polling import Verb
from tradewind_protocol.states import Component
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import commands, rule_refusals
from tradewind_provider.store.tables import AgentCommand, AgentSession, Attempt

_MOST_TRIGGERERS = 4
_MOST_READERS = 2


@dataclass(frozen=True)
class TaskTry:
    """One try of one task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    hostname: str = ""  # as `tradewind_protocol.hostnames` makes it
    triggerer_session: UUID | None = None  # whose triggerer waits for it now


@dataclass(frozen=True)
class LogSource:
    """An agent that ran a part of the try."""

    agent: str
    host: str
    session_id: UUID | None  # None: no agent can be asked
    absent: str = ""  # why no agent can be asked, as the end of a sentence
    certain: bool = True  # False: it may have a trigger's log


@dataclass(frozen=True)
class LogSources:
    """Where the log of a try is."""

    sources: list[
        LogSource
    ]  # in the order they had the task; those that may only have a trigger's log come last
    on_agents: bool  # False: the task itself ran elsewhere, or has not run
    elsewhere: bool  # True: agents have no part in the try, neither ran it nor shall run it
    executor: str = ""  # alias or path of the executor it was queued under, when it was one of ours
    readers: tuple[
        LogSource, ...
    ] = ()  # agents of the site that may read what another one put into its log storage


def find(db: Session, one: TaskTry, *, now: datetime, beats: HeartbeatLimits) -> LogSources:
    """Where the log of that try is, as far as agents have it."""
    queued = db.execute(
        select(Attempt.session_id, Attempt.granted_at, Attempt.executor)
        .where(
            Attempt.dag_id == one.dag_id,
            Attempt.run_id == one.run_id,
            Attempt.task_id == one.task_id,
            Attempt.map_index == one.map_index,
            Attempt.try_number == one.try_number,
        )
        .order_by(Attempt.granted_at)
    ).all()
    held = [row.session_id for row in queued if row.granted_at is not None and row.session_id is not None]
    sessions = [session for each in held if (session := db.get(AgentSession, each)) is not None]
    name = hostnames.agent_of_attempt(one.hostname)
    if not held and name:
        sessions = _newest_named(db, name)
    sources = {session.agent_id: _source(db, session, now=now, beats=beats) for session in sessions}
    gone = [each for each in sessions if sources[each.agent_id].session_id is None]
    for session in _triggerers(db, one, deferred=len(held) > 1):
        if session.agent_id not in sources:
            certain = session.id == one.triggerer_session
            sources[session.agent_id] = _source(db, session, now=now, beats=beats, certain=certain)
    return LogSources(
        sources=list(sources.values()),
        on_agents=bool(held or name),
        elsewhere=not (sources or held or name) and bool(one.hostname or not queued),
        executor=next((row.executor for row in queued if row.executor), ""),
        readers=_readers(db, gone, now=now, beats=beats),
    )


def ask(db: Session, session_id: UUID, wanted: StreamLog, *, asked_by: str, now: datetime) -> UUID:
    """Ask an agent for a log; the command's id. Heard at once, when the transaction commits."""
    return commands.ask(
        db,
        session_id,
        Verb.STREAM_LOG,
        arguments=wanted.model_dump(mode="json"),
        asked_by=asked_by,
        now=now,
    )


def note_refused(db: Session, source: LogSource, one: TaskTry, rule: str, *, now: datetime) -> None:
    """Record that an agent has refused a reader: a rule of the site's owner lets no log be read. An open page asks every few seconds."""
    session = db.get(AgentSession, source.session_id) if source.session_id is not None else None
    mapped = f", map {one.map_index}" if one.map_index >= 0 else ""
    refusal = rule_refusals.RuleRefusal(
        "log_refused",
        agent=source.agent,
        site=session.site if session is not None else "",
        subject=f"log:{one.dag_id}.{one.task_id} [{one.run_id}{mapped}, try {one.try_number}]",
        rule=rule,
        reason=f"the site's rule {rule!r} lets no user of the plane read this log",
    )
    rule_refusals.record_once(db, refusal, now=now)


def forget(db: Session, command_ids: Iterable[UUID]) -> None:
    """The reader is done: what was asked leaves no row."""
    db.execute(delete(AgentCommand).where(AgentCommand.id.in_(list(command_ids))))


def _source(
    db: Session, session: AgentSession, *, now: datetime, beats: HeartbeatLimits, certain: bool = True
) -> LogSource:
    """The agent of that session as it can be asked today: it may have a newer session, and has the same disk."""
    present = db.scalar(
        select(AgentSession).where(AgentSession.agent_id == session.agent_id, AgentSession.ended_at.is_(None))
    )
    newest = present or session
    host = str(newest.host.get("hostname") or "")
    last_beat = newest.last_beat_at or newest.opened_at
    if present is None:
        since = newest.ended_at or last_beat
        return LogSource(newest.name, host, None, f"it has been gone since {_moment(since)}", certain)
    if (now - last_beat).total_seconds() > beats.missed_after:
        return LogSource(newest.name, host, None, f"its last poll was at {_moment(last_beat)}", certain)
    return LogSource(newest.name, host, present.id, certain=certain)


def _readers(
    db: Session, gone: list[AgentSession], *, now: datetime, beats: HeartbeatLimits
) -> tuple[LogSource, ...]:
    """Agents of the site of those that cannot be asked, which may read the site's log storage in their place."""
    if not gone:
        return ()
    statement = (
        select(AgentSession)
        .where(
            AgentSession.site == gone[0].site,
            AgentSession.ended_at.is_(None),
            AgentSession.agent_id.not_in([each.agent_id for each in gone]),
        )
        .order_by(AgentSession.last_beat_at.desc())
    )
    able = (each for each in db.scalars(statement) if Component.WORKER.value in each.components)
    found = (_source(db, each, now=now, beats=beats, certain=False) for each in able)
    return tuple(each for each in found if each.session_id is not None)[:_MOST_READERS]


def _newest_named(db: Session, name: str) -> list[AgentSession]:
    """For a task whose attempts have left the history."""
    statement = (
        select(AgentSession)
        .where(AgentSession.name == name)
        .order_by(AgentSession.ended_at.is_(None).desc(), AgentSession.opened_at.desc())
        .limit(1)
    )
    return list(db.scalars(statement))


def _triggerers(db: Session, one: TaskTry, *, deferred: bool) -> list[AgentSession]:
    found = []
    if one.triggerer_session is not None and (session := db.get(AgentSession, one.triggerer_session)):
        found.append(session)
    if deferred:
        # which one had the trigger is not written down anywhere once it has fired
        present = db.scalars(select(AgentSession).where(AgentSession.ended_at.is_(None)))
        able = [each for each in present if Component.TRIGGERER.value in each.components]
        found += able[:_MOST_TRIGGERERS]
    return found


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
