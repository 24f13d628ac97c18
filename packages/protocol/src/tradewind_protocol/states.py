"""States and their legal moves."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Component(str, Enum):
    """What an agent can run."""

    WORKER = "worker"
    DAG_PROCESSOR = "dag_processor"
    TRIGGERER = "triggerer"


class AgentState(str, Enum):
    """How the plane sees an agent. Computed from its reports and their age, never asserted by it."""

    STARTING = "starting"  # session open, no poll yet, or a task environment is starting
    HEALTHY = "healthy"  # polls on time, its own checks pass
    DEGRADED = "degraded"  # polls on time, one of its own checks fails
    DRAINING = "draining"  # takes nothing new, finishes what runs, then leaves
    CORDONED = "cordoned"  # takes nothing new until resumed
    UNREACHABLE = "unreachable"  # one or two polls are missing
    LOST = "lost"  # three polls are missing: its running work is reported as failed
    OFFLINE = "offline"  # closed its session


GONE: Final = frozenset({AgentState.LOST, AgentState.OFFLINE})
"""States in which a session is over: no verb of that session is accepted again."""


class AttemptState(str, Enum):
    """The life of a piece of work on the plane."""

    QUEUED = "queued"  # waits for an agent
    OFFERED = "offered"  # leased to one session, not confirmed; free again when the offer ends
    RUNNING = "running"  # granted: user code may run; one epoch, one session
    FINISHED = "finished"  # an outcome is known
    REVOKED = "revoked"  # the scheduler took it back


ATTEMPT_MOVES: Final[dict[AttemptState, frozenset[AttemptState]]] = {
    AttemptState.QUEUED: frozenset({AttemptState.OFFERED, AttemptState.REVOKED}),
    AttemptState.OFFERED: frozenset(
        {AttemptState.QUEUED, AttemptState.RUNNING, AttemptState.FINISHED, AttemptState.REVOKED}
    ),
    AttemptState.RUNNING: frozenset({AttemptState.FINISHED}),
    AttemptState.FINISHED: frozenset(),
    AttemptState.REVOKED: frozenset(),
}
"""Every legal move. RUNNING never goes back to QUEUED: user code may have run, so Airflow's retries decide.

An offer is FINISHED without a start when the plane cannot read its workload."""

NOT_STARTED: Final = frozenset({AttemptState.QUEUED, AttemptState.OFFERED})
"""States in which no user code can have run."""

HELD: Final = frozenset({AttemptState.OFFERED, AttemptState.RUNNING})
"""States in which one session holds the attempt."""

UNFINISHED: Final = frozenset(state for state, after in ATTEMPT_MOVES.items() if after)
"""States from which an attempt still moves."""


def states_before(to: AttemptState) -> frozenset[AttemptState]:
    """The states from which an attempt may move to `to`."""
    return frozenset(state for state, after in ATTEMPT_MOVES.items() if to in after)


class OutcomeKind(str, Enum):
    """How an attempt ended, as the scheduler needs to know it."""

    SUCCEEDED = "succeeded"  # the supervisor ended well; the task's own state went through the Execution API
    FAILED = "failed"  # failed: exit code, signal, out of memory, environment broken
    STOPPED = "stopped"  # stopped on request: of the plane, an operator, or the agent's own stop
    LOST = "lost"  # unknown: the agent went away while it ran


class ProcessEnd(str, Enum):
    """How the process of an attempt ended, for people. The state of its task is another matter: a task that fails does
    so in a process that exits as it should."""

    EXITED = "exited"  # by itself, whatever its exit code
    KILLED = "killed"  # by a signal that did not come from Tradewind
    STOPPED = "stopped"  # by Tradewind, because a user asked for it
    BROKEN = "broken"  # it could not be started or watched to its end
    LOST = "lost"  # unknown: the agent went away while it ran


def process_end(outcome: OutcomeKind, *, exit_code: int | None, signal: str | None) -> ProcessEnd:
    """The end of the process behind an outcome."""
    if outcome is OutcomeKind.STOPPED:
        return ProcessEnd.STOPPED
    if outcome is OutcomeKind.LOST:
        return ProcessEnd.LOST
    if signal:
        return ProcessEnd.KILLED
    if outcome is OutcomeKind.SUCCEEDED or exit_code is not None:
        return ProcessEnd.EXITED
    return ProcessEnd.BROKEN


FAILED_TASK_STATES: Final = frozenset({"failed", "up_for_retry"})
"""States of a task, as Airflow names them, that mean that this attempt at it failed."""


def failed(outcome: OutcomeKind, task_state: str | None) -> bool:
    """True when the attempt did not do its work, for whatever reason: its task failed, or its process did not end well."""
    return outcome is not OutcomeKind.SUCCEEDED or task_state in FAILED_TASK_STATES
