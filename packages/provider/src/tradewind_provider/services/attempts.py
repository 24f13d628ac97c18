"""An attempt, as its agent moves it: start, finish, hand back; and who may act for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol.attempts import Ended, HandBack, Outcome, WorkKind
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.states import AttemptState
from tradewind_provider import notifications
from tradewind_provider.domain import leases
from tradewind_provider.services import attempt_spans, canaries, rule_refusals
from tradewind_provider.services.agents import Agent
from tradewind_provider.services.rule_refusals import RuleRefusal
from tradewind_provider.store import attempt_states
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import Attempt


@dataclass(frozen=True)
class HeldAttempt:
    """What the execution API proxy needs to know of a granted attempt."""

    attempt_id: UUID
    epoch: int
    kind: WorkKind
    ti_id: UUID  # of the task instance; for other kinds of the callback or connection test
    label: str
    queue: str
    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int
    try_number: int

    @property
    def subject_id(self) -> UUID:
        """What the attempt is about, of whatever kind."""
        return self.ti_id


def start(
    db: Session,
    attempt_id: UUID,
    epoch: int,
    agent: Agent,
    *,
    now: datetime,
    offer_lasts: float = 0.0,
    subject: UUID | None = None,
) -> HeldAttempt:
    """Grant an offer: from here on user code may run. Idempotent for the holder of the epoch. Returns what was granted.

    `offer_lasts` (seconds) tells a trace when it was made. What runs another task instance than `subject`, when that is
    given, is not granted.

    Raises Refused ATTEMPT_UNKNOWN, ATTEMPT_NOT_YOURS, LEASE_LOST.
    """
    attempt = _find(db, attempt_id)
    if subject is not None and subject != attempt.subject_id:
        raise Refused(
            Code.ATTEMPT_NOT_YOURS,
            f"attempt {attempt.id} ({attempt.label}) is not of task instance {subject}",
            attempt_id=str(attempt.id),
        )
    granted = _held(attempt, epoch)
    offered_at = (attempt.offered_until or now) - timedelta(seconds=offer_lasts)
    if _decide(leases.may_start(_lease(attempt), agent.session_id, epoch), attempt) is leases.Decision.CHANGE:
        _move(
            db,
            attempt,
            AttemptState.RUNNING,
            granted_at=now,
            offered_until=None,
            missing_since=None,
            payload="",  # its agent has it, and no other agent ever will
        )
        attempt_spans.granted(attempt, epoch, offered_at=offered_at, now=now)
    return granted


def finish(db: Session, attempt_id: UUID, outcome: Outcome, agent: Agent, *, now: datetime) -> None:
    """Write down how an attempt ended. Idempotent: the first outcome of an epoch counts, any other is accepted and
    changes nothing.

    Raises Refused ATTEMPT_UNKNOWN, ATTEMPT_NOT_YOURS, LEASE_LOST, CONFLICT (it was never started).
    """
    _finish(db, _find(db, attempt_id), outcome, agent, now)


def _finish(db: Session, attempt: Attempt, outcome: Outcome, agent: Agent, now: datetime) -> None:
    if (
        _decide(leases.may_finish(_lease(attempt), agent.session_id, outcome.epoch), attempt)
        is leases.Decision.CHANGE
    ):
        _move(
            db,
            attempt,
            AttemptState.FINISHED,
            ended_at=now,
            outcome=outcome.kind.value,
            exit_code=outcome.exit_code,
            signal=outcome.signal[:20] if outcome.signal else None,
            task_state=outcome.task_state if attempt.kind == WorkKind.TASK.value else None,
            reason=outcome.reason,
            payload="",
        )
        if attempt.kind == WorkKind.CANARY.value:
            canaries.finished(
                db, attempt, outcome, agent=agent.name, granted_at=attempt.granted_at or now, now=now
            )
            return
        for refusal in _rule_refusals(attempt, outcome, agent):
            rule_refusals.record(db, refusal, now=now)


def _rule_refusals(attempt: Attempt, outcome: Outcome, agent: Agent) -> list[RuleRefusal]:
    """What rules of the site's owner have refused of the attempt: the work itself, or reads of it."""
    refused = [("work_refused", outcome.rule, outcome.reason)] if outcome.rule else []
    refused += [
        ("read_refused", rule, f"the site's rule {rule!r} refused a read of it")
        for rule in outcome.reads_refused
    ]
    subject, detail = f"attempt:{attempt.label}", {"attempt": str(attempt.id)}
    return [
        RuleRefusal(action, agent.name, agent.site, subject, rule, reason, detail)
        for action, rule, reason in refused
    ]


def finish_all(
    db: Session, endings: Sequence[Ended], agent: Agent, *, now: datetime
) -> list[tuple[UUID, Refused]]:
    """`finish`, for each of them. Returns the attempts whose outcome was refused; the others are written down."""
    ids = [one.attempt_id for one in endings]
    rows = db.scalars(select(Attempt).where(Attempt.id.in_(ids)).execution_options(populate_existing=True))
    known = {row.id: row for row in rows}
    refused = []
    for one in endings:
        try:
            _finish(db, _known(known.get(one.attempt_id), one.attempt_id), one.outcome, agent, now)
        except Refused as no:
            refused.append((one.attempt_id, no))
    return refused


def hand_back(db: Session, attempt_id: UUID, back: HandBack, agent: Agent, *, now: datetime) -> None:
    """Return an offer that was not started: another agent has it at once, this one not for some seconds. Idempotent.

    Raises Refused ATTEMPT_UNKNOWN, CONFLICT (it was granted).
    """
    attempt = _find(db, attempt_id)
    if (
        _decide(leases.may_hand_back(_lease(attempt), agent.session_id, back.epoch), attempt)
        is leases.Decision.CHANGE
    ):
        _move(
            db,
            attempt,
            AttemptState.QUEUED,
            session_id=None,
            offered_until=None,
            avoid_session_id=agent.session_id,
            handed_back_at=now,
            reason=back.reason,
        )
        notifications.publish(db, notifications.WORK)


def holder(db: Session, attempt_id: UUID, epoch: int, agent: Agent) -> HeldAttempt:
    """The attempt, when `agent` holds its grant of that epoch.

    Raises Refused ATTEMPT_UNKNOWN, ATTEMPT_NOT_YOURS, LEASE_LOST. The answer may be kept for about two seconds.
    """
    attempt = _find(db, attempt_id)
    if (no := leases.is_held(_lease(attempt), agent.session_id, epoch)) is not None:
        raise _refused(no, attempt)
    return _held(attempt, attempt.epoch)


def _held(attempt: Attempt, epoch: int) -> HeldAttempt:
    return HeldAttempt(
        attempt_id=attempt.id,
        epoch=epoch,
        kind=WorkKind(attempt.kind),
        ti_id=attempt.subject_id,
        label=attempt.label,
        queue=attempt.queue,
        dag_id=attempt.dag_id,
        run_id=attempt.run_id,
        task_id=attempt.task_id,
        map_index=attempt.map_index,
        try_number=attempt.try_number,
    )


def _find(db: Session, attempt_id: UUID) -> Attempt:
    return _known(db.get(Attempt, attempt_id, populate_existing=True), attempt_id)


def _known(attempt: Attempt | None, attempt_id: UUID) -> Attempt:
    if attempt is None:
        raise Refused(
            Code.ATTEMPT_UNKNOWN,
            f"this Deployment knows no attempt {attempt_id}",
            remedy="stop it, if it runs",
        )
    return attempt


def _lease(attempt: Attempt) -> leases.Lease:
    return leases.Lease(AttemptState(attempt.state), attempt.epoch, attempt.session_id)


def _decide(decision: leases.Decision | leases.Rejection, attempt: Attempt) -> leases.Decision:
    if isinstance(decision, leases.Rejection):
        raise _refused(decision, attempt)
    return decision


def _refused(no: leases.Rejection, attempt: Attempt) -> Refused:
    return Refused(no.code, f"attempt {attempt.id} ({attempt.label}): {no.cause}", attempt_id=str(attempt.id))


def _move(db: Session, attempt: Attempt, to: AttemptState, **values: object) -> None:
    """Change the row if it is still as it was read. Raises Refused LEASE_LOST when another process changed it first."""
    moved = changed(
        db,
        attempt_states.move(
            to,
            Attempt.id == attempt.id,
            Attempt.state == attempt.state,
            Attempt.epoch == attempt.epoch,
            Attempt.session_id == attempt.session_id,
            **values,
        ),
    )
    if moved != 1:
        raise Refused(
            Code.LEASE_LOST, f"attempt {attempt.id} ({attempt.label}): it was taken back at this moment"
        )
    db.expire(attempt)
