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
    rows = _candidates(db, _live(db, places), waiting)
    rows = _drop_unwanted(db, rows, now)
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
    placed = placement.place(candidates, places)
    found: dict[UUID, list[Offer]] = {}
    for attempt_id, session_id in placed.items():
        row = rows[attempt_id]
        offered = changed(
            db,
            update(Attempt)
            .where(
                Attempt.id == attempt_id,
                Attempt.state == AttemptState.QUEUED.value,
                Attempt.epoch == row.epoch,
            )
            .values(
                state=AttemptState.OFFERED.value,
                epoch=row.epoch + 1,
                session_id=session_id,
                offered_until=now + timedelta(seconds=lasts),
            ),
        )
        if offered == 1 and (offer := _offer(db, row, row.epoch + 1, now, lasts)) is not None:
            found.setdefault(session_id, []).append(offer)
    return found


def offer_again(db: Session, rows: Iterable[Attempt], *, now: datetime, lasts: float) -> list[Offer]:
    """Repeat offers whose answer was lost, under the epoch they have, their time starting anew."""
    offers = []
    for row in rows:
        row.offered_until = now + timedelta(seconds=lasts)
        if (offer := _offer(db, row, row.epoch, now, lasts)) is not None:
            offers.append(offer)
    return offers


def release(db: Session, offers: Mapping[UUID, Sequence[Offer]]) -> None:
    """Take back offers nobody is there to hear. The epoch stays used up."""
    for session_id, made in offers.items():
        for offer in made:
            changed(
                db,
                update(Attempt)
                .where(
                    Attempt.id == offer.attempt_id,
                    Attempt.state == AttemptState.OFFERED.value,
                    Attempt.epoch == offer.epoch,
                    Attempt.session_id == session_id,
                )
                .values(state=AttemptState.QUEUED.value, session_id=None, offered_until=None),
            )


def _live(db: Session, places: Sequence[placement.Place]) -> Sequence[placement.Place]:
    """Those whose session is open and may take work at this moment; the others lose their room."""
    able = set(
        db.scalars(
            select(AgentSession.id).where(
                AgentSession.id.in_([one.session_id for one in places]),
                AgentSession.ended_at.is_(None),
                AgentSession.cordoned_at.is_(None),
                AgentSession.draining_at.is_(None),
            )
        ).all()
    )
    for spot in places:
        if spot.session_id not in able:
            spot.seats = []
    return [spot for spot in places if spot.seats]


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
    )
