"""One attempt to run one piece of work, from offer to outcome."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from tradewind_protocol.errors import Refusal
from tradewind_protocol.messages import Message
from tradewind_protocol.states import OutcomeKind


class WorkKind(str, Enum):
    """Airflow's workloads, and the plane's own canary."""

    TASK = "task"
    CALLBACK = "callback"
    CANARY = "canary"  # offered only to task environments that say that they run it
    CONNECTION_TEST = "connection_test"


class CanaryHop(str, Enum):
    """The parts of a canary's way, in order."""

    CLAIM = "claim"  # from the queue to a grant
    START = "start"  # from the grant to a supervisor in the agent's worker process
    LOG = "log"  # a line is written where the logs of tasks go
    FINISH = "finish"  # the report is on the plane


class CanaryMarks(Message):
    """How far a canary came on its agent, and how long each part took there, in seconds."""

    failed: CanaryHop | None = None  # the part that failed; None: none did
    start: float | None = Field(default=None, ge=0, le=86_400)
    log: float | None = Field(default=None, ge=0, le=86_400)


class AttemptRef(Message):
    """Which attempt, and which grant of it. An epoch grows by one with every offer, so an old holder is told apart."""

    attempt_id: UUID
    epoch: int = Field(ge=1)


class Offer(AttemptRef):
    """Work leased to this session: confirm with a start within `confirm_within` seconds or it goes elsewhere."""

    kind: WorkKind
    queue: str
    workload: dict[str, Any] = Field(repr=False)  # Airflow's workload as JSON, its token removed
    confirm_within: float
    label: str = ""  # "dag.task [run, map 3, try 2]", for logs and people
    traceparent: str = (
        ""  # W3C Trace Context of the plane's span for this attempt; empty when it is not traced
    )


class Start(Message):
    """Confirm an offer. Idempotent: the holder of the same epoch gets the same grant again."""

    epoch: int = Field(ge=1)


class Granted(Message):
    """User code may run. Holds while the session polls; `lost_after` seconds without one, it is over."""

    attempt_id: UUID
    epoch: int


class Outcome(Message):
    """How an attempt ended. Idempotent: the first one counts, the same again is accepted and changes nothing."""

    epoch: int = Field(ge=1)
    kind: OutcomeKind
    exit_code: int | None = None
    signal: str | None = None  # "SIGKILL"
    reason: str = Field(
        default="", max_length=4000
    )  # for a person: "killed by SIGKILL: the machine ran out of memory"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    rule: str = Field(
        default="", max_length=200
    )  # of the site's owner, that refused the work; `reason` says why
    # the state in which the task's supervisor left it, as it said to Airflow ("success", "failed", "up_for_retry",
    # "deferred" …); None when it said nothing, and for what is no task
    task_state: str | None = Field(default=None, max_length=20, pattern="^[a-z_]+$")
    canary: CanaryMarks | None = None  # of a canary
    # rules of the site's owner that refused something it asked the plane for, whatever then became of it
    reads_refused: tuple[Annotated[str, Field(max_length=200)], ...] = Field(default=(), max_length=50)


class Ended(Message):
    """How one of several attempts ended."""

    attempt_id: UUID
    outcome: Outcome


class Endings(Message):
    """Outcomes of several attempts in one request, each taken or refused for itself. Idempotent as each of them is."""

    endings: tuple[Ended, ...] = Field(min_length=1, max_length=200)


class NotTaken(Message):
    """An outcome that was refused."""

    attempt_id: UUID
    refusal: Refusal


class EndingsTaken(Message):
    """Every outcome was taken but these."""

    refused: tuple[NotTaken, ...] = ()


class HandBack(Message):
    """Return an offer that was not started, so that another agent has it at once. Idempotent."""

    epoch: int = Field(ge=1)
    reason: str = Field(default="", max_length=4000)
