"""The rules of attempts on the fake plane: who is offered what, and which verb may follow which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from tradewind_agent.testing.records import FakeAttempt, FakeSession
from tradewind_protocol.attempts import AttemptRef, HandBack, Offer, Outcome, WorkKind
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.polling import Poll
from tradewind_protocol.states import HELD, AttemptState, OutcomeKind


def unknown(attempts: Mapping[UUID, FakeAttempt], session: FakeSession, poll: Poll) -> tuple[AttemptRef, ...]:
    """What a poll names and the session does not hold."""
    return tuple(
        ref
        for ref in (*poll.holding, *poll.running)
        if (known := attempts.get(ref.attempt_id)) is None
        or (known.session_id, known.epoch) != (session.id, ref.epoch)
        or known.state not in HELD
    )


def offers(
    attempts: Iterable[FakeAttempt], session: FakeSession, poll: Poll, *, now: float, within: float
) -> tuple[Offer, ...]:
    """Offer work to the free slots of a poll, for `within` seconds. An offer whose answer was lost is made again."""
    known = tuple(attempts)
    for attempt in known if poll.room else ():
        if attempt.offered_until <= now:
            expire(attempt)
    named = {ref.attempt_id for ref in (*poll.holding, *poll.running)}
    served = {each.name: frozenset(each.queues) for each in session.opened.environments}
    reported = [each.environments for _, each in session.polls if each.environments is not None]
    canaries = {each.name for each in (session.opened.environments, *reported)[-1] if each.canary}
    made: list[Offer] = []
    for room in poll.room:
        free = room.free
        queues = served.get(room.environment, frozenset()) & frozenset(room.queues)
        for attempt in known:
            repeated = _is_held_by(attempt, session) and attempt.id not in named
            suits = attempt.kind is not WorkKind.CANARY or room.environment in canaries
            if free <= 0 or attempt.queue not in queues or not suits:
                continue
            if attempt.state is AttemptState.QUEUED or repeated:
                free -= 1
                attempt.epoch += 0 if repeated else 1
                attempt.state, attempt.session_id = AttemptState.OFFERED, session.id
                attempt.offered_until = now + within
                made.append(_offer(attempt, within))
    return tuple(made)


def start(attempt: FakeAttempt, session: FakeSession, epoch: int) -> None:
    """Grant it. Raises Refused."""
    attempt.starts += 1
    _must_hold(attempt, session, epoch)
    if attempt.state is AttemptState.OFFERED:
        attempt.state = AttemptState.RUNNING
    if attempt.state is not AttemptState.RUNNING:
        raise Refused(Code.LEASE_LOST, f"it is {attempt.state.value}")


def finish(attempt: FakeAttempt, session: FakeSession, outcome: Outcome) -> None:
    """Take an outcome; one that comes again changes nothing. Raises Refused."""
    over = attempt.state in (AttemptState.FINISHED, AttemptState.REVOKED)
    if not (over and attempt.epoch == outcome.epoch):
        _must_hold(attempt, session, outcome.epoch)
        if attempt.state is AttemptState.OFFERED:
            raise Refused(Code.CONFLICT, "it was never started; hand it back instead")
        if attempt.state is not AttemptState.RUNNING:
            raise Refused(Code.LEASE_LOST, "it was taken back before it was started")
        attempt.state, attempt.outcome = AttemptState.FINISHED, outcome.kind
    attempt.outcomes.append(outcome)


def hand_back(attempt: FakeAttempt, session: FakeSession, back: HandBack) -> bool:
    """Queue a declined offer again. False when there was none. Raises Refused for work that was granted."""
    if (attempt.session_id, attempt.epoch) != (session.id, back.epoch):
        return False
    if attempt.state is AttemptState.RUNNING:
        raise Refused(Code.CONFLICT, "it was granted; report an outcome instead")
    if attempt.state is not AttemptState.OFFERED:
        return False
    expire(attempt)
    attempt.handed_back.append(back.reason)
    return True


def expire(attempt: FakeAttempt) -> None:
    """Queue it again when it is offered."""
    if attempt.state is AttemptState.OFFERED:
        attempt.state, attempt.session_id = AttemptState.QUEUED, None


def lose(attempts: Iterable[FakeAttempt], session: FakeSession) -> None:
    """A session has ended: its offers are queued again, and what it ran is lost."""
    for attempt in attempts:
        if attempt.session_id != session.id:
            continue
        expire(attempt)
        if attempt.state is AttemptState.RUNNING:
            attempt.state, attempt.outcome = AttemptState.FINISHED, OutcomeKind.LOST


def _is_held_by(attempt: FakeAttempt, session: FakeSession) -> bool:
    return attempt.state is AttemptState.OFFERED and attempt.session_id == session.id


def _must_hold(attempt: FakeAttempt, session: FakeSession, epoch: int) -> None:
    if epoch != attempt.epoch:
        raise Refused(Code.LEASE_LOST, "it was offered again since")
    if attempt.session_id != session.id:
        raise Refused(Code.ATTEMPT_NOT_YOURS, "another session holds it")


def _offer(attempt: FakeAttempt, within: float) -> Offer:
    return Offer(
        attempt_id=attempt.id,
        epoch=attempt.epoch,
        kind=attempt.kind,
        queue=attempt.queue,
        workload=attempt.workload,
        confirm_within=within,
        label=f"fake {attempt.id}",
        traceparent=str(attempt.workload.get("traceparent", "")),
    )
