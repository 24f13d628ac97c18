"""A poll: what it says is written down, and what it is owed at once is found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Text, cast, select, update
from sqlalchemy.orm import Session

from tradewind_protocol.attempts import AttemptRef, Offer
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.polling import Command, Poll, Room, Verb
from tradewind_protocol.states import AttemptState, Component
from tradewind_provider import notifications
from tradewind_provider.domain import agents, leases, placement
from tradewind_provider.services import agent_states, assignment, audit, client_address, sessions, storages
from tradewind_provider.services.agents import Agent
from tradewind_provider.settings import Settings
from tradewind_provider.store.attempt_states import HELD
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import AgentCommand, AgentSession, Attempt


@dataclass
class PollResult:
    """What follows from a poll."""

    candidate: placement.Candidate | None  # the room for new work; None: nothing new for this agent
    offers: list[Offer] = field(default_factory=list)  # made before, their answer was lost
    unknown: list[AttemptRef] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    session_token: str | None = field(default=None, repr=False)
    same_until: datetime | None = None
    """Until when the same poll again says nothing but that its agent is there (see `UnchangedPoll`); None: it is
    handled in full."""


@dataclass(frozen=True)
class UnchangedPoll:
    """A poll that says the same as the one before it."""

    session_id: UUID
    named: frozenset[tuple[UUID, int]]  # attempts it says it has, with their epochs


def record_unchanged(db: Session, unchanged: Sequence[UnchangedPoll], *, now: datetime) -> set[UUID]:
    """Write the heartbeats of these sessions in one statement, and return those whose poll has to be handled in full: ended or
    given up, with a command, or with other attempts than they name. Idempotent."""
    ids = [one.session_id for one in unchanged]
    in_order = (
        AgentSession.id.in_(ids),
        AgentSession.ended_at.is_(None),
        AgentSession.lost_at.is_(None),
        cast(AgentSession.findings, Text)
        == "[]",  # another API server had a poll with findings since: they may be over
    )
    again: set[UUID] = set()
    if changed(db, update(AgentSession).where(*in_order).values(last_beat_at=now)) != len(ids):
        again |= set(ids) - set(db.scalars(select(AgentSession.id).where(*in_order)))
    held: dict[UUID | None, set[tuple[UUID, int]]] = {}
    for session_id, attempt_id, epoch, missing_since in db.execute(
        select(Attempt.session_id, Attempt.id, Attempt.epoch, Attempt.missing_since).where(
            Attempt.session_id.in_(ids), Attempt.state.in_(HELD)
        )
    ):
        held.setdefault(session_id, set()).add((attempt_id, epoch))
        if missing_since is not None and session_id is not None:
            again.add(session_id)
    again |= {one.session_id for one in unchanged if held.get(one.session_id, set()) != one.named}
    again |= set(
        db.scalars(
            select(AgentCommand.session_id).where(
                AgentCommand.session_id.in_(ids), AgentCommand.carried_out_at.is_(None)
            )
        )
    )
    return again


def handle_poll(db: Session, agent: Agent, poll: Poll, *, settings: Settings, now: datetime) -> PollResult:
    """Write down a poll and find what it is owed. Idempotent: the same poll again finds the same.

    Raises Refused SESSION_EXPIRED when the session ended between authentication and here.
    """
    session = db.get(AgentSession, agent.session_id, populate_existing=True)
    if session is None or session.ended_at is not None:
        raise Refused(Code.SESSION_EXPIRED, f"the session of agent {agent.name!r} has ended")
    _beat(db, session, poll, now)
    beats = agents.HeartbeatLimits(settings.cadence.poll, settings.cadence.lost_after)
    agent_states.notice(db, session, beats, now=now)
    route = (client_address.address() or session.address, client_address.endpoint() or None)
    if route != (session.address, session.endpoint):
        session.address, session.endpoint = route
        session.way_since = now
    mine = {
        row.id: row
        for row in db.scalars(
            select(Attempt).where(Attempt.session_id == session.id, Attempt.state.in_(HELD))
        ).all()
    }
    named = {ref.attempt_id: ref.epoch for ref in (*poll.holding, *poll.running)}
    _note_missing(mine.values(), named, now)
    lost_offers = [
        row for row in mine.values() if row.state == AttemptState.OFFERED.value and row.id not in named
    ]
    candidate = _candidate(session, poll, settings)
    if candidate is not None:
        for row in lost_offers:
            candidate = candidate.take(assignment.route_of(row))
    result = PollResult(
        candidate=candidate,
        offers=assignment.offer_again(db, lost_offers, now=now, lasts=settings.cadence.offer),
        unknown=_unknown(session.id, poll, mine),
        commands=commands(db, session.id).get(session.id, []),
        session_token=sessions.renewed_token(session, now=now, lasts=settings.session),
    )
    result.same_until = _same_until(session, poll, result, settings)
    return result


def _same_until(session: AgentSession, poll: Poll, result: PollResult, settings: Settings) -> datetime | None:
    owed = result.offers or result.unknown or result.commands or result.session_token is not None
    reported = poll.carried_out or session.findings or poll.environments is not None
    # A drain or cordon may be undone while it polls another API server, and then this one would offer it no work.
    asked = session.draining_at is not None or session.cordoned_at is not None
    if owed or reported or asked:
        return None
    return session.token_expires_at - timedelta(seconds=settings.session / 2)


def commands(db: Session, session_id: UUID | None = None) -> dict[UUID, list[Command]]:
    """Session → what it was asked and has not carried out, oldest first; of one session or of all."""
    found: dict[UUID, list[Command]] = {}
    statement = select(AgentCommand).where(AgentCommand.carried_out_at.is_(None))
    if session_id is not None:
        statement = statement.where(AgentCommand.session_id == session_id)
    rows = db.scalars(statement.order_by(AgentCommand.created_at))
    for row in rows:
        found.setdefault(row.session_id, []).append(
            Command(
                id=row.id,
                verb=Verb(row.verb),
                arguments=row.arguments,
                reason=row.reason,
                asked_by=row.asked_by,
            )
        )
    return found


def ended(db: Session, *, since: datetime) -> set[UUID]:
    """Sessions that ended since then. To name a thousand that poll would cost twenty milliseconds."""
    return set(db.scalars(select(AgentSession.id).where(AgentSession.ended_at >= since)))


def _beat(db: Session, session: AgentSession, poll: Poll, now: datetime) -> None:
    if session.lost_at is not None:
        audit.record(
            db,
            action="agent_returned",
            actor=f"agent:{session.name}",
            subject=f"agent:{session.name}",
            reason=f"polls again, {(now - session.lost_at).total_seconds():.0f} s after it was given up",
            now=now,
        )
        session.lost_at = None
        notifications.publish(db, notifications.AGENTS)
    session.last_beat_at = now
    session.room = [one.model_dump(mode="json") for one in poll.room]
    if poll.environments is not None:
        session.environments = [one.model_dump(mode="json") for one in poll.environments]
    if poll.environments is not None or storages.in_conflict(session):
        storages.compare(db, session)
    session.findings = [one.model_dump(mode="json") for one in (*poll.findings, *storages.findings(session))]
    if poll.refused:
        _note_refused(db, session, poll, now)
    if poll.carried_out:
        changed(
            db,
            update(AgentCommand)
            .where(
                AgentCommand.id.in_(poll.carried_out),
                AgentCommand.session_id == session.id,
                AgentCommand.carried_out_at.is_(None),
            )
            .values(carried_out_at=now),
        )


def _note_refused(db: Session, session: AgentSession, poll: Poll, now: datetime) -> None:
    """An event for each command that the site's owner does not let the plane give. A poll that is sent again makes none again."""
    rules = {one.id: one.rule for one in poll.refused if one.id in poll.carried_out}
    for row in db.scalars(
        select(AgentCommand).where(
            AgentCommand.id.in_(rules),
            AgentCommand.session_id == session.id,
            AgentCommand.carried_out_at.is_(None),
        )
    ):
        audit.record(
            db,
            action="command_refused",
            actor=f"agent:{session.name}",
            subject=f"agent:{session.name}",
            reason=f"the site's rule {rules[row.id]!r} refuses the command {row.verb!r} of {row.asked_by or 'the plane'}",
            now=now,
            detail={"rule": rules[row.id], "verb": row.verb},
        )


def _note_missing(mine: Iterable[Attempt], named: dict[UUID, int], now: datetime) -> None:
    for row in mine:
        if row.state != AttemptState.RUNNING.value:
            continue
        # its outcome may be on the way, so the sweep waits before it calls the attempt lost
        if named.get(row.id) == row.epoch:
            row.missing_since = None
        elif row.missing_since is None:
            row.missing_since = now


def _unknown(session_id: UUID, poll: Poll, mine: dict[UUID, Attempt]) -> list[AttemptRef]:
    return [
        ref
        for ref in (*poll.holding, *poll.running)
        if (row := mine.get(ref.attempt_id)) is None
        or not leases.is_known(
            leases.Lease(AttemptState(row.state), row.epoch, row.session_id), session_id, ref.epoch
        )
    ]


def _candidate(session: AgentSession, poll: Poll, settings: Settings) -> placement.Candidate | None:
    """Where new work may go. The queues are those its environments serve, whatever a poll says of others; the bundles
    those the environment has, or else those that its session was opened with."""
    if session.draining_at is not None or session.cordoned_at is not None:
        return None
    if Component.WORKER.value not in session.components:
        return None
    known = {one["name"]: one for one in session.environments}
    bundles = frozenset(session.bundles)
    environments = [
        placement.EnvironmentSlots(
            frozenset(room.queues) & frozenset(one["queues"]),
            room.free,
            bundles if (own := one.get("bundles")) is None else frozenset(own),
            one.get("canary") is True,
        )
        for room in _once(poll.room)
        if (one := known.get(room.environment)) is not None and not storages.held(one)
    ]
    candidate = placement.Candidate(session.id, tuple(environments), settings.offers_per_answer, session.site)
    return candidate if candidate.slots else None


def _once(rooms: Sequence[Room]) -> list[Room]:
    return list({room.environment: room for room in rooms}.values())
