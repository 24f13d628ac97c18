"""Giving work that waits to agents that wait: one transaction for all of them."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.fernet import InvalidToken
from sqlalchemy import ColumnElement, case, or_, select, update
from sqlalchemy.orm import Session

from tradewind_protocol.attempts import Offer, WorkKind
from tradewind_protocol.states import AttemptState, OutcomeKind
from tradewind_provider import notifications
from tradewind_provider.airflow import database, workloads
from tradewind_provider.domain import placement
from tradewind_provider.domain.queues import QueueDepth
from tradewind_provider.domain.routes import Route
from tradewind_provider.services import attempt_spans, queue_depths
from tradewind_provider.store import attempt_states
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import AgentSession, Attempt

log = logging.getLogger(__name__)

AVOID_SECONDS = 10.0
"""Who handed an attempt back is not offered it again for this long."""

_AT_ONCE = 64  # leases in one statement
_ABLE = (
    AgentSession.ended_at.is_(None),
    AgentSession.cordoned_at.is_(None),
    AgentSession.draining_at.is_(None),
)


@dataclass(frozen=True)
class Assignment:
    """What was offered."""

    offers: Mapping[UUID, list[Offer]]  # by session
    taken: Counter[Route]  # how many pieces of work of each route


def depths(db: Session) -> dict[Route, QueueDepth]:
    """Every route for which something waits."""
    found = queue_depths.by_route(db, [AttemptState.QUEUED])
    return {one.route: QueueDepth(one.route, one.count, one.oldest) for one in found}


def route_of(row: Attempt) -> Route:
    """What an agent needs to be given an attempt."""
    return Route(row.queue, row.site, row.bundle, canary=row.kind == WorkKind.CANARY.value)


def assign(
    db: Session,
    candidates: Sequence[placement.Candidate],
    *,
    waiting: Mapping[Route, QueueDepth],
    now: datetime,
    lasts: float,
) -> Assignment:
    """Offer what waits to those with room for it, leased for `lasts` seconds.

    Highest priority first, then oldest. Work whose task instance no longer waits (cleared, marked, deleted) is taken
    off the queue on the way. Safe to run in several processes at once: an attempt is offered by one of them.
    """
    rows = _pending(db, candidates, waiting, now)
    avoid_until = now - timedelta(seconds=AVOID_SECONDS)
    work = [
        placement.PendingWork(
            attempt_id=row.id,
            route=route_of(row),
            priority=row.priority,
            created_at=row.created_at,
            avoid=row.avoid_session_id if row.handed_back_at and row.handed_back_at > avoid_until else None,
        )
        for row in rows.values()
    ]
    until = now + timedelta(seconds=lasts)
    found: dict[UUID, list[Offer]] = {}
    taken: Counter[Route] = Counter()
    for attempt_id, session_id in _placed(db, rows, work, candidates, until).items():
        row = rows[attempt_id]
        epoch = row.epoch + 1
        if (offer := _offer(db, row, epoch, now, lasts)) is not None:
            found.setdefault(session_id, []).append(offer)
            taken[route_of(row)] += 1
            attempt_spans.offered(row, epoch, now=now)
    return Assignment(found, taken)


def _placed(
    db: Session,
    rows: Mapping[UUID, Attempt],
    work: Sequence[placement.PendingWork],
    candidates: Sequence[placement.Candidate],
    until: datetime,
) -> dict[UUID, UUID]:
    """Attempt → session, leased. What was meant for a session that has ended or is to take nothing goes to another."""
    leased: dict[UUID, UUID] = {}
    while placed := placement.place(work, candidates):
        got = _lease(db, rows, placed, until)
        leased |= got
        if len(got) == len(placed):
            break
        gone = set(placed.values()) - _able(db, set(placed.values()))
        work = [one for one in work if placed.get(one.attempt_id) in gone]
        left = {one.session_id: one for one in candidates if one.session_id not in gone}
        for attempt_id, session_id in got.items():
            left[session_id] = left[session_id].take(route_of(rows[attempt_id]))
        candidates = list(left.values())
    return leased


def _lease(
    db: Session, rows: Mapping[UUID, Attempt], placed: Mapping[UUID, UUID], until: datetime
) -> dict[UUID, UUID]:
    """Lease attempts to sessions under the next epoch: returns those that no other process leased first, and whose session
    may take work at this moment."""
    leased: dict[UUID, UUID] = {}
    for epoch, pairs in _lots(rows, placed):
        count = changed(
            db,
            attempt_states.move(
                AttemptState.OFFERED,
                Attempt.id.in_([attempt_id for attempt_id, _ in pairs]),
                Attempt.epoch == epoch,
                AgentSession.id == case(dict(pairs), value=Attempt.id),
                *_ABLE,
            ).values(
                epoch=epoch + 1,
                session_id=AgentSession.id,
                offered_until=until,
            ),
        )
        leased |= pairs if count == len(pairs) else _mine(db, pairs, epoch + 1)
    return leased


def _lots(
    rows: Mapping[UUID, Attempt], placed: Mapping[UUID, UUID]
) -> Iterator[tuple[int, list[tuple[UUID, UUID]]]]:
    """What one statement can lease: of one epoch, and not too many to tell apart by."""
    lots: dict[int, list[tuple[UUID, UUID]]] = {}
    for attempt_id, session_id in placed.items():
        lots.setdefault(rows[attempt_id].epoch, []).append((attempt_id, session_id))
    for epoch, pairs in lots.items():
        for start in range(0, len(pairs), _AT_ONCE):
            yield epoch, pairs[start : start + _AT_ONCE]


def _mine(db: Session, pairs: Sequence[tuple[UUID, UUID]], epoch: int) -> dict[UUID, UUID]:
    """Those of the pairs of attempt and session that are leased so under this epoch."""
    held = db.execute(
        select(Attempt.id, Attempt.session_id).where(
            Attempt.id.in_([attempt_id for attempt_id, _ in pairs]),
            Attempt.state == AttemptState.OFFERED.value,
            Attempt.epoch == epoch,
        )
    )
    return dict(set(pairs) & {(id_, session_id) for id_, session_id in held})


def offer_again(db: Session, rows: Iterable[Attempt], *, now: datetime, lasts: float) -> list[Offer]:
    """Repeat offers whose answer was lost, under the epoch they have, their time starting anew. What was taken back
    at this moment is left out."""
    offers = []
    for row in rows:
        until = now + timedelta(seconds=lasts)
        if row.offered_until is not None:  # it is another promise than the one that was lost: see `release`
            until = max(until, row.offered_until + timedelta(microseconds=1))
        still = changed(
            db,
            update(Attempt)
            .where(
                Attempt.id == row.id,
                Attempt.state == AttemptState.OFFERED.value,
                Attempt.epoch == row.epoch,
                Attempt.session_id == row.session_id,
            )
            .values(offered_until=until),
        )
        if still == 1 and (offer := _offer(db, row, row.epoch, now, lasts)) is not None:
            offers.append(offer)
    return offers


def release(db: Session, offers: Mapping[UUID, Sequence[Offer]], *, until: datetime) -> None:
    """Take back offers, leased until `until`, whose poll has gone. The epoch stays used up.

    What was offered to its session once more since stays offered: the answer to a later poll has it, and its agent confirms it.
    """
    released = 0
    for session_id, made in offers.items():
        released += changed(
            db,
            attempt_states.move(
                AttemptState.QUEUED,
                Attempt.id.in_([offer.attempt_id for offer in made]),
                Attempt.session_id == session_id,
                Attempt.offered_until == until,
                session_id=None,
                offered_until=None,
            ),
        )
    if released:
        notifications.publish(db, notifications.WORK)


def _able(db: Session, session_ids: Collection[UUID]) -> set[UUID]:
    """Those of the sessions that are open and may take work at this moment."""
    return set(db.scalars(select(AgentSession.id).where(AgentSession.id.in_(session_ids), *_ABLE)))


def _pending(
    db: Session,
    candidates: Collection[placement.Candidate],
    waiting: Mapping[Route, QueueDepth],
    now: datetime,
) -> dict[UUID, Attempt]:
    """What may be offered, as much as there is room for. Takes off the queue what is not wanted any more."""
    rows: dict[UUID, Attempt] = {}
    for batch in placement.batches({route: one.count for route, one in waiting.items()}, candidates):
        statement = (
            select(Attempt, workloads.state_of(Attempt.subject_id))
            .where(
                Attempt.state == AttemptState.QUEUED.value,
                Attempt.site == batch.site,
                Attempt.queue == batch.queue,
                attempt_states.IS_CANARY if batch.canaries else ~attempt_states.IS_CANARY,
                _needs_one_of(batch.bundles),
            )
            .order_by(Attempt.priority.desc(), Attempt.created_at)
            .limit(batch.most)
            .with_for_update(skip_locked=True, of=Attempt)
            .execution_options(populate_existing=True)
        )
        for row, state in db.execute(statement):
            if row.kind != WorkKind.TASK.value or workloads.is_queued(state):
                rows[row.id] = row
            else:
                attempt_states.set_state(row, AttemptState.REVOKED)
                row.ended_at, row.payload = now, ""
                row.reason = "its task instance does not wait any more: it was cleared, marked or deleted"
    return rows


def _needs_one_of(bundles: Collection[str | None]) -> ColumnElement[bool]:
    named = Attempt.bundle.in_([one for one in bundles if one is not None])
    return or_(named, Attempt.bundle.is_(None)) if None in bundles else named


def _offer(db: Session, row: Attempt, epoch: int, now: datetime, lasts: float) -> Offer | None:
    try:
        workload = json.loads(database.decrypt(row.payload))
    except (InvalidToken, ValueError):
        log.error(
            "Attempt %s (%s) cannot be decrypted", row.id, row.label, extra={"action": "payload_unreadable"}
        )
        changed(
            db,
            attempt_states.move(
                AttemptState.FINISHED,
                Attempt.id == row.id,
                outcome=OutcomeKind.FAILED.value,
                ended_at=now,
                payload="",
                reason="the orchestration plane cannot read its workload: [core] fernet_key is not the one it was "
                "queued with; put the old key behind the new one, separated by a comma, until nothing is queued",
            ),
        )
        return None
    return Offer(
        attempt_id=row.id,
        epoch=epoch,
        kind=WorkKind(row.kind),
        queue=row.queue,
        workload=workload,
        confirm_within=lasts,
        label=row.label,
        traceparent=attempt_spans.traceparent(row),
    )
