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
    HIBERNATING = "hibernating"
    ASLEEP = "asleep"  # its processes have ended; its data, its route and its tokens are kept
    WAKING = "waking"
    UPGRADING = "upgrading"
    PURGING = "purging"
    PURGED = "purged"  # only its name, its slug and its history are left
    PURGE_FAILED = "purge_failed"  # a part of its data is erased: the rest can only be erased, too
    FAILED = "failed"  # the last operation ended with an error


GONE: Final[frozenset[Phase]] = frozenset({Phase.DELETED, Phase.PURGING, Phase.PURGED, Phase.PURGE_FAILED})
"""Of a Deployment whose deletion has ended: nothing of it runs, and nothing is open to it."""


class Kind(str, Enum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"
    PURGE = "purge"
    HIBERNATE = "hibernate"
    WAKE = "wake"
    UPGRADE = "upgrade"
    BACKUP = "backup"
    ROLLBACK = "rollback"  # a backup replaces the database
    PREFLIGHT = "preflight"  # what an upgrade would meet; changes nothing
    CLEAN = "clean"  # old rows leave the database of its Airflow
    DEPLOY = "deploy"  # it runs code of its own

    @property
    def meanwhile(self) -> Phase:
        return _PHASES[self][0]

    @property
    def before(self) -> Phase:
        """The phase of a Deployment whose operation has ended before its first step."""
        return _BEFORE.get(self, Phase.RUNNING)

    @property
    def afterwards(self) -> Phase:
        return _PHASES[self][1]

    @property
    def after_failure(self) -> Phase:
        """The phase of a Deployment whose operation failed, and was not undone."""
        if self is Kind.PURGE:
            return Phase.PURGE_FAILED
        return Phase.RUNNING if self in _BESIDE else Phase.FAILED

    @property
    def after_failed_undo(self) -> Phase:
        """The phase of a Deployment whose operation was being undone when that failed, too. A creation is undone by an erasure."""
        return Phase.PURGE_FAILED if self is Kind.CREATE else Phase.FAILED

    @property
    def applies(self) -> bool:
        """Whether the Deployment runs as its revision says once the operation has ended."""
        return self not in _BESIDE and self not in (Kind.DELETE, Kind.PURGE, Kind.HIBERNATE)

    @property
    def ends_processes(self) -> bool:
        """Whether nothing of the Deployment runs once the operation has ended, so that nothing is observed of it."""
        return self in (Kind.DELETE, Kind.PURGE, Kind.HIBERNATE)


_BESIDE: Final = frozenset({Kind.BACKUP, Kind.PREFLIGHT, Kind.CLEAN})
"""What is done beside a Deployment that runs and goes on as it is."""

_PHASES: Final[dict[Kind, tuple[Phase, Phase]]] = {
    Kind.CREATE: (Phase.CREATING, Phase.RUNNING),
    Kind.UPDATE: (Phase.UPDATING, Phase.RUNNING),
    Kind.DELETE: (Phase.DELETING, Phase.DELETED),
    Kind.RESTORE: (Phase.RESTORING, Phase.RUNNING),
    Kind.PURGE: (Phase.PURGING, Phase.PURGED),
    Kind.HIBERNATE: (Phase.HIBERNATING, Phase.ASLEEP),
    Kind.WAKE: (Phase.WAKING, Phase.RUNNING),
    Kind.UPGRADE: (Phase.UPGRADING, Phase.RUNNING),
    Kind.BACKUP: (Phase.RUNNING, Phase.RUNNING),
    Kind.ROLLBACK: (Phase.RESTORING, Phase.RUNNING),
    Kind.PREFLIGHT: (Phase.RUNNING, Phase.RUNNING),
    Kind.CLEAN: (Phase.RUNNING, Phase.RUNNING),
    Kind.DEPLOY: (Phase.UPDATING, Phase.RUNNING),
}

_BEFORE: Final = {Kind.RESTORE: Phase.DELETED, Kind.WAKE: Phase.ASLEEP}

_FROM: Final[dict[Kind, frozenset[Phase]]] = {
    Kind.CREATE: frozenset({Phase.CREATING, Phase.FAILED}),
    Kind.UPDATE: frozenset({Phase.RUNNING, Phase.FAILED}),
    Kind.DELETE: frozenset({Phase.RUNNING, Phase.FAILED, Phase.ASLEEP}),
    Kind.RESTORE: frozenset({Phase.DELETED}),
    Kind.PURGE: frozenset({Phase.DELETED, Phase.PURGE_FAILED}),
    Kind.HIBERNATE: frozenset({Phase.RUNNING}),
    Kind.WAKE: frozenset({Phase.ASLEEP, Phase.FAILED}),
    Kind.UPGRADE: frozenset({Phase.RUNNING}),
    Kind.BACKUP: frozenset({Phase.RUNNING}),
    Kind.ROLLBACK: frozenset({Phase.RUNNING, Phase.FAILED}),
    Kind.PREFLIGHT: frozenset({Phase.RUNNING}),
    Kind.CLEAN: frozenset({Phase.RUNNING}),
    Kind.DEPLOY: frozenset({Phase.RUNNING, Phase.FAILED}),
}


CONFIGURE: Final = "configure"
"""The step, of each operation that `applies` and of each driver, from which on a Deployment's processes are given what is set: options and
variables that were set before it began."""


def may_begin(kind: Kind, phase: Phase) -> bool:
    """Whether a Deployment in that phase may be asked for the operation."""
    return phase in _FROM[kind]


class State(str, Enum):
    """Of an operation and of each of its steps."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"  # a step after the one that failed, in an operation that is undone
    CANCELLED = "cancelled"  # an operation that a person ended before its last step

    @property
    def ended(self) -> bool:
        return self not in (State.PENDING, State.RUNNING)


@dataclass(frozen=True)
class Step:
    """One step of an operation, as it stands."""

    name: str
    state: State
    tries: int = 0


_NEVER_CANCELLED: Final = frozenset({Kind.DELETE, Kind.PURGE})
_PAST_RETURN: Final = {Kind.UPGRADE: "route", Kind.ROLLBACK: "stop"}
"""The step from which on an operation goes on even so: agents have handed in outcomes, or the database is replaced."""


def may_be_cancelled(kind: Kind, steps: Sequence[Step]) -> bool:
    """Whether an operation that has not ended ends early when a person asks for it now. Of one without steps: before the first."""
    past = _PAST_RETURN.get(kind)
    return kind not in _NEVER_CANCELLED and not any(
        step.name == past and step.state is not State.PENDING for step in steps
    )


def next_step(steps: Sequence[Step]) -> int | None:
    """The position of the step to do now: the first that has not ended. None when all have.

    A step that was running when its process died is done again: each step may be done twice.
    """
    return next((at for at, step in enumerate(steps) if not step.state.ended), None)
