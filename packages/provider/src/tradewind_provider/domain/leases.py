"""The rules of an attempt's lease: who may confirm, finish or hand back, and what a repeated request means.

An attempt is offered to one session under an epoch that grows with every offer. What an agent asks carries that epoch,
so that an answer from the past never acts on the present.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from tradewind_protocol.errors import Code
from tradewind_protocol.states import HELD, AttemptState


@dataclass(frozen=True)
class Lease:
    """An attempt's row, as far as the rules look at it."""

    state: AttemptState
    epoch: int
    session_id: UUID | None


class Decision(str, Enum):
    """What an accepted request does."""

    CHANGE = "change"
    NOTHING = "nothing"  # it was done before, or does not matter any more


@dataclass(frozen=True)
class Rejection:
    """A refusal: code and the cause, for a person."""

    code: Code
    cause: str


def _held(lease: Lease, session_id: UUID, epoch: int) -> Rejection | None:
    if lease.epoch != epoch:
        return Rejection(Code.LEASE_LOST, f"it was offered again since (epoch {lease.epoch}, not {epoch})")
    if lease.session_id != session_id:
        return Rejection(Code.ATTEMPT_NOT_YOURS, "another session holds it")
    return None


def may_start(lease: Lease, session_id: UUID, epoch: int) -> Decision | Rejection:
    """Confirm an offer. The holder of a grant gets it again; an offer whose time is up counts until it is taken back."""
    if (no := _held(lease, session_id, epoch)) is not None:
        return no
    if lease.state is AttemptState.OFFERED:
        return Decision.CHANGE
    if lease.state is AttemptState.RUNNING:
        return Decision.NOTHING
    return Rejection(Code.LEASE_LOST, f"it is {lease.state.value} and not on offer to this session any more")


def may_finish(lease: Lease, session_id: UUID, epoch: int) -> Decision | Rejection:
    """Report an outcome. The first one counts; a later one for the same epoch is accepted and changes nothing, also
    from a session opened since, so that an outbox is emptied."""
    if lease.epoch == epoch and lease.state in (AttemptState.FINISHED, AttemptState.REVOKED):
        return Decision.NOTHING
    if (no := _held(lease, session_id, epoch)) is not None:
        return no
    if lease.state is AttemptState.RUNNING:
        return Decision.CHANGE
    if lease.state is AttemptState.OFFERED:
        return Rejection(Code.CONFLICT, "it was never started; hand it back instead")
    return Rejection(Code.LEASE_LOST, "it was taken back before it was started")


def may_hand_back(lease: Lease, session_id: UUID, epoch: int) -> Decision | Rejection:
    """Return an offer. One that is not this session's any more is free already: nothing to do."""
    if lease.epoch != epoch or lease.session_id != session_id:
        return Decision.NOTHING
    if lease.state is AttemptState.OFFERED:
        return Decision.CHANGE
    if lease.state is AttemptState.RUNNING:
        return Rejection(
            Code.CONFLICT, "it was granted, so user code may have run; report an outcome instead"
        )
    return Decision.NOTHING


def is_held(lease: Lease, session_id: UUID, epoch: int) -> Rejection | None:
    """None when this session may act for the attempt: it holds the grant of that epoch."""
    if (no := _held(lease, session_id, epoch)) is not None:
        return no
    if lease.state is AttemptState.RUNNING:
        return None
    return Rejection(Code.LEASE_LOST, f"it is {lease.state.value}, not running")


def is_known(lease: Lease, session_id: UUID, epoch: int) -> bool:
    """True when an attempt an agent names in a poll is its own, or ended with its own word. What is not, it stops."""
    return lease.epoch == epoch and lease.session_id == session_id and lease.state in HELD
