"""What a poll says, written down; and what it is owed at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tradewind_protocol.attempts import AttemptRef, Offer
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.polling import Command, Poll, Room, Verb
from tradewind_protocol.states import AttemptState, Component
from tradewind_provider.domain import leases, placement
from tradewind_provider.services import assigning, audit, sessions, waking, whence
from tradewind_provider.services.sessions import Agent
from tradewind_provider.settings import Settings
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import AgentCommand, AgentSession, Attempt

_LIVE = (AttemptState.OFFERED.value, AttemptState.RUNNING.value)


@dataclass
class Heard:
    """What follows from a poll."""

    place: placement.Place | None  # the room for new work; None: nothing new for this agent
    offers: list[Offer] = field(default_factory=list)  # made before, their answer was lost
    unknown: list[AttemptRef] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    session_token: str | None = field(default=None, repr=False)


def hear(db: Session, agent: Agent, poll: Poll, *, settings: Settings, now: datetime) -> Heard:
    """Write down a poll and find what it is owed. Idempotent: the same poll again finds the same.

    Raises Refused SESSION_EXPIRED when the session ended between authentication and here.
    """
    session = db.get(AgentSession, agent.session_id, populate_existing=True)
    if session is None or session.ended_at is not None:
        raise Refused(Code.SESSION_EXPIRED, f"the session of agent {agent.name!r} has ended")
    _beat(db, session, poll, now)
    if (address := whence.address()) and address != session.address:
        session.address = address
    mine = {
        row.id: row
        for row in db.scalars(
            select(Attempt).where(Attempt.session_id == session.id, Attempt.state.in_(_LIVE))
        ).all()
    }
    named = {ref.attempt_id: ref.epoch for ref in (*poll.holding, *poll.running)}
    _note_missing(mine.values(), named, now)
    lost_offers = [
        row for row in mine.values() if row.state == AttemptState.OFFERED.value and row.id not in named
    ]
    place = _place(session, poll, settings)
    if place is not None:
        for row in lost_offers:
            place.take(row.queue)
    return Heard(
        place=place,
        offers=assigning.offer_again(db, lost_offers, now=now, lasts=settings.cadence.offer),
        unknown=_unknown(session.id, poll, mine),
        commands=commands(db, [session.id]).get(session.id, []),
        session_token=sessions.renewed_token(session, now=now, lasts=settings.session),
    )


def commands(db: Session, session_ids: Sequence[UUID]) -> dict[UUID, list[Command]]:
    """Session → what it was asked and has not carried out, oldest first."""
    found: dict[UUID, list[Command]] = {}
    rows = db.scalars(
        select(AgentCommand)
        .where(AgentCommand.carried_out_at.is_(None), AgentCommand.session_id.in_(session_ids))
        .order_by(AgentCommand.created_at)
    )
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


def ended(db: Session, session_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the sessions that have ended."""
    return set(
        db.scalars(
            select(AgentSession.id).where(
                AgentSession.id.in_(session_ids), AgentSession.ended_at.is_not(None)
            )
        ).all()
    )


def _beat(db: Session, session: AgentSession, poll: Poll, now: datetime) -> None:
    if session.lost_at is not None:
        audit.record(
            db,
            action="agent_returned",
            actor=f"agent:{session.name}",
            subject=f"agent:{session.name}",
            reason=f"heard again, {(now - session.lost_at).total_seconds():.0f} s after it was given up",
            now=now,
        )
        session.lost_at = None
        waking.announce(db, waking.AGENTS)
    session.last_beat_at = now
    session.room = [one.model_dump(mode="json") for one in poll.room]
    session.findings = [one.model_dump(mode="json") for one in poll.findings]
    if poll.environments is not None:
        session.environments = [one.model_dump(mode="json") for one in poll.environments]
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


def _place(session: AgentSession, poll: Poll, settings: Settings) -> placement.Place | None:
    """Where new work may go. The queues are those its environments serve, whatever a poll says of others."""
    if session.draining_at is not None or session.cordoned_at is not None:
        return None
    if Component.WORKER.value not in session.components:
        return None
    served = {one["name"]: frozenset(one["queues"]) for one in session.environments}
    seats = [
        placement.Seats(frozenset(room.queues) & served.get(room.environment, frozenset()), room.free)
        for room in _once(poll.room)
    ]
    seats = [seat for seat in seats if seat.queues and seat.free > 0]
    return placement.Place(session.id, seats, settings.offers_per_answer) if seats else None


def _once(rooms: Sequence[Room]) -> list[Room]:
    return list({room.environment: room for room in rooms}.values())
