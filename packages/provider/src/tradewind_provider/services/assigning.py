"""Giving work that waits to agents that wait: one transaction for all of them."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.fernet import InvalidToken
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tradewind_protocol.attempts import Offer, WorkKind
from tradewind_protocol.states import AttemptState, OutcomeKind
from tradewind_provider.domain import placement
from tradewind_provider.domain.queues import Depth
from tradewind_provider.seams import database, workloads
from tradewind_provider.services import tracing, waking
from tradewind_provider.store.base import UtcDateTime
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import AgentSession, Attempt

log = logging.getLogger(__name__)

AVOID_SECONDS = 10.0
"""Who handed an attempt back is not offered it again for this long."""


def depths(db: Session) -> dict[str, Depth]:
    """Every queue in which something waits."""
    rows = db.execute(
        select(Attempt.queue, func.count(), func.min(Attempt.created_at, type_=UtcDateTime()))
        .where(Attempt.state == AttemptState.QUEUED.value)
        .group_by(Attempt.queue)
    )
    return {queue: Depth(queue, count, oldest) for queue, count, oldest in rows}


def assign(
    db: Session,
    places: Sequence[placement.Place],
    *,
    waiting: Mapping[str, Depth],
    now: datetime,
    lasts: float,
) -> dict[UUID, list[Offer]]:
    """Offer what waits to those with room for it: session → its offers, leased for `lasts` seconds.

    Highest priority first, then oldest. Work whose task instance no longer waits (cleared, marked, deleted) is taken
    off the queue on the way. Safe to run in several processes at once: an attempt is offered by one of them.
    """
    places = [spot for spot in places if not waiting.keys().isdisjoint(spot.wants())]
    rows = _drop_unwanted(db, _candidates(db, places, waiting), now)
    avoid_until = now - timedelta(seconds=AVOID_SECONDS)
    candidates = [
        placement.Candidate(
            attempt_id=row.id,
            queue=row.queue,
            priority=row.priority,
            created_at=row.created_at,
            avoid=row.avoid_session_id if row.handed_back_at and row.handed_back_at > avoid_until else None,
        )
        for row in rows.values()
    ]
    until = now + timedelta(seconds=lasts)
    found: dict[UUID, list[Offer]] = {}
    for (session_id, epoch), chosen in _lots(rows, _placed(db, candidates, places)).items():
        for row in _lease(db, chosen, session_id, epoch, until):
            if (offer := _offer(db, row, epoch + 1, now, lasts)) is not None:
                found.setdefault(session_id, []).append(offer)
                tracing.offered(row, epoch + 1, now=now)
    return found


def _placed(
    db: Session, candidates: Sequence[placement.Candidate], places: Sequence[placement.Place]
) -> dict[UUID, UUID]:
    """Attempt → session, of sessions that may take work at this moment. Asks of those only that would get some:
    a thousand may wait for one piece of work."""
    while True:
        trial = [spot.copy() for spot in places]
        placed = placement.place(candidates, trial)
        chosen = set(placed.values())
        if not (gone := chosen - _able(db, chosen)):
            return placed
        places = [spot for spot in places if spot.session_id not in gone]


def _lots(
    rows: Mapping[UUID, Attempt], placed: Mapping[UUID, UUID]
) -> Mapping[tuple[UUID, int], list[Attempt]]:
    """What one statement can lease: of one session, under one epoch. In the order it was placed."""
    lots: dict[tuple[UUID, int], list[Attempt]] = {}
    for attempt_id, session_id in placed.items():
        row = rows[attempt_id]
        lots.setdefault((session_id, row.epoch), []).append(row)
    return lots


def _lease(
    db: Session, rows: Sequence[Attempt], session_id: UUID, epoch: int, until: datetime
) -> Sequence[Attempt]:
    """Lease these rows of `epoch` to a session under the next one; those returned that nobody was quicker with."""
    ids = [row.id for row in rows]
    leased = changed(
        db,
        update(Attempt)
        .where(Attempt.id.in_(ids), Attempt.state == AttemptState.QUEUED.value, Attempt.epoch == epoch)
        .values(
            state=AttemptState.OFFERED.value, epoch=epoch + 1, session_id=session_id, offered_until=until
        ),
    )
    if leased == len(rows):
        return rows
    mine = set(
        db.scalars(
            select(Attempt.id).where(
                Attempt.id.in_(ids),
                Attempt.state == AttemptState.OFFERED.value,
                Attempt.epoch == epoch + 1,
                Attempt.session_id == session_id,
            )
        )
    )
    return [row for row in rows if row.id in mine]


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
    """Take back offers, leased until `until`, that nobody is there to hear. The epoch stays used up.

    What was offered to its session once more since stays offered: a later poll was told of it, and confirms it.
    """
    released = 0
    for session_id, made in offers.items():
        released += changed(
            db,
            update(Attempt)
            .where(
                Attempt.id.in_([offer.attempt_id for offer in made]),
                Attempt.state == AttemptState.OFFERED.value,
                Attempt.session_id == session_id,
                Attempt.offered_until == until,
            )
            .values(state=AttemptState.QUEUED.value, session_id=None, offered_until=None),
        )
    if released:
        waking.announce(db, waking.WORK)


def _able(db: Session, session_ids: Collection[UUID]) -> set[UUID]:
    """Those of the sessions that are open and may take work at this moment."""
    if not session_ids:
        return set()
    return set(
        db.scalars(
            select(AgentSession.id).where(
                AgentSession.id.in_(session_ids),
                AgentSession.ended_at.is_(None),
                AgentSession.cordoned_at.is_(None),
                AgentSession.draining_at.is_(None),
            )
        )
    )


def _candidates(
    db: Session, places: Collection[placement.Place], waiting: Mapping[str, Depth]
) -> dict[UUID, Attempt]:
    room: Counter[str] = Counter()
    for spot in places:
        room.update(spot.wants())
    rows: dict[UUID, Attempt] = {}
    for queue, count in room.items():
        if queue not in waiting:
            continue
        statement = (
            select(Attempt)
            .where(Attempt.state == AttemptState.QUEUED.value, Attempt.queue == queue)
            .order_by(Attempt.priority.desc(), Attempt.created_at)
            .limit(count)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        rows.update({row.id: row for row in db.scalars(statement)})
    return rows


def _drop_unwanted(db: Session, rows: dict[UUID, Attempt], now: datetime) -> dict[UUID, Attempt]:
    tasks = {row.subject_id for row in rows.values() if row.kind == WorkKind.TASK.value}
    wanted = workloads.still_queued(db, tasks) if tasks else set()
    kept = {}
    for id_, row in rows.items():
        if row.kind != WorkKind.TASK.value or row.subject_id in wanted:
            kept[id_] = row
        else:
            row.state, row.ended_at, row.payload = AttemptState.REVOKED.value, now, ""
            row.reason = "its task instance does not wait any more: it was cleared, marked or deleted"
    return kept


def _offer(db: Session, row: Attempt, epoch: int, now: datetime, lasts: float) -> Offer | None:
    try:
        workload = json.loads(database.decrypt(row.payload))
    except (InvalidToken, ValueError):
        log.error(
            "Attempt %s (%s) cannot be decrypted", row.id, row.label, extra={"action": "payload_unreadable"}
        )
        changed(
            db,
            update(Attempt)
            .where(Attempt.id == row.id)
            .values(
                state=AttemptState.FINISHED.value,
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
        traceparent=tracing.traceparent(row),
    )
