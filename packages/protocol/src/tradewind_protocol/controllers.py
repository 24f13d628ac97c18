"""What the controller of a cluster and the platform tell each other. The controller connects; the platform never does."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field

from tradewind_protocol.messages import Message

PREFIX: Final = "/internal/v1/clusters/self"
"""A cluster token says which cluster: no path names another one."""
MOST_WAIT_SECONDS: Final = 30.0
STEP_LEASE_SECONDS: Final = 60.0
"""A step is its controller's so long after the last poll that named it. Then another process may do it."""


class ControllerPoll(Message):
    """Ask for work. Answered at once when there is some, else after `wait_seconds`."""

    instance: UUID  # of this process of the controller
    version: str = Field(default="", max_length=100)
    driver: str = Field(max_length=100)
    running: tuple[UUID, ...] = ()  # steps that it does, or whose results it has not delivered
    etag: str = Field(default="", max_length=100)  # of the documents that it has
    steps: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # by the kind of operation
    undo: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)  # by kind and failed step
    facts: dict[str, str] = Field(default_factory=dict)  # of the cluster: its version, what it offers
    sizes: tuple[str, ...] = Field(default=(), max_length=50)  # that Deployments may have
    wait_seconds: float = Field(default=20.0, ge=0, le=MOST_WAIT_SECONDS)


class StepTask(Message):
    """A step to do. `document` has secrets of its Deployment."""

    id: UUID
    step: str
    document: dict[str, Any] = Field(repr=False)


class KeptDocument(Message):
    """A Deployment to observe, and with `keep` to start again what of it does not run."""

    digest: str
    keep: bool
    document: dict[str, Any] = Field(repr=False)


class ControllerWork(Message):
    """`documents` has all of them when they are not those of the etag that was sent, else None."""

    etag: str
    tasks: tuple[StepTask, ...] = ()
    documents: tuple[KeptDocument, ...] | None = None


class StepResult(Message):
    """What came of a step. It has no secret."""

    instance: UUID
    outcome: Literal["succeeded", "failed", "waits"]
    message: str = Field(default="", max_length=4000)
    final: bool = False  # of a failed one: another try would fail, too
    again: float = Field(default=5.0, ge=0, le=3600)  # of one that waits: seconds until it is done again
    facts: dict[str, Any] = Field(default_factory=dict)


class ObservedCondition(Message):
    type: str = Field(max_length=100)
    status: Literal["true", "false", "unknown"]
    reason: str = Field(default="", max_length=100)
    message: str = Field(default="", max_length=4000)
    remedy: str = Field(default="", max_length=4000)
    observed_revision: int = 0


class Observation(Message):
    """What was observed of a Deployment, as its document of that digest says that it shall be."""

    deployment: UUID
    digest: str = Field(max_length=100)
    conditions: tuple[ObservedCondition, ...] = ()


class Observations(Message):
    instance: UUID
    observed_at: datetime | None = None
    items: tuple[Observation, ...] = ()
