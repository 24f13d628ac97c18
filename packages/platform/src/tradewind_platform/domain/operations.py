"""Operations: what the platform does to a Deployment, in steps that each may be done twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Phase(str, Enum):
    """What the platform is doing with a Deployment. What is observed of it is its health."""

    CREATING = "creating"
    RUNNING = "running"
    UPDATING = "updating"
    DELETING = "deleting"
    DELETED = "deleted"  # its processes and its route are gone, its data is kept
    RESTORING = "restoring"
    PURGING = "purging"
    PURGED = "purged"  # only its name, its slug and its history are left
    FAILED = "failed"  # the last operation ended with an error


class Kind(str, Enum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"
    PURGE = "purge"

    @property
    def meanwhile(self) -> Phase:
        return _PHASES[self][0]

    @property
    def afterwards(self) -> Phase:
        return _PHASES[self][1]


_PHASES: Final[dict[Kind, tuple[Phase, Phase]]] = {
    Kind.CREATE: (Phase.CREATING, Phase.RUNNING),
    Kind.UPDATE: (Phase.UPDATING, Phase.RUNNING),
    Kind.DELETE: (Phase.DELETING, Phase.DELETED),
    Kind.RESTORE: (Phase.RESTORING, Phase.RUNNING),
    Kind.PURGE: (Phase.PURGING, Phase.PURGED),
}

_FROM: Final[dict[Kind, frozenset[Phase]]] = {
    Kind.CREATE: frozenset({Phase.CREATING, Phase.FAILED}),
    Kind.UPDATE: frozenset({Phase.RUNNING, Phase.FAILED}),
    Kind.DELETE: frozenset({Phase.RUNNING, Phase.FAILED}),
    Kind.RESTORE: frozenset({Phase.DELETED}),
    Kind.PURGE: frozenset({Phase.DELETED}),
}


def may_begin(kind: Kind, phase: Phase) -> bool:
    """Whether a Deployment in that phase may be asked for the operation."""
    return phase in _FROM[kind]


class State(str, Enum):
    """Of an operation and of each of its steps."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (State.SUCCEEDED, State.FAILED)


@dataclass(frozen=True)
class Step:
    """One step of an operation, as it stands."""

    name: str
    state: State
    tries: int = 0


def next_step(steps: Sequence[Step]) -> int | None:
    """The position of the step to do now: the first that has not succeeded. None when all have.

    A step that was running when its process died is done again: each step may be done twice.
    """
    return next((at for at, step in enumerate(steps) if step.state is not State.SUCCEEDED), None)


def state_of(steps: Sequence[Step]) -> State:
    """The state of the operation that has these steps."""
    states = [step.state for step in steps]
    if State.FAILED in states:
        return State.FAILED
    if states and all(state is State.SUCCEEDED for state in states):
        return State.SUCCEEDED
    return State.RUNNING if any(state is not State.PENDING for state in states) else State.PENDING
