"""What the reconciler asks of a driver. It is given documents, and never the platform's database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from tradewind_platform.domain.component_logs import Component
from tradewind_platform.domain.health import Condition
from tradewind_platform.domain.operations import Kind


@dataclass(frozen=True)
class BackupFile:
    """A backup, and the key that encrypts it and no other one."""

    id: UUID
    key: str = field(repr=False)  # 32 bytes in base64


@dataclass(frozen=True)
class Document:
    """A Deployment as it shall be, at one revision of its specification."""

    id: UUID
    slug: str
    number: int
    name: str
    revision: int
    spec: Mapping[str, Any]
    agent_url: str
    people_url: str
    secrets: Mapping[str, str] = field(repr=False)
    configuration: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Options of Airflow that people have set, by section. What the platform sets itself is stronger."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Environment variables that people have set; secret ones are among them."""
    before: Mapping[str, Any] = field(default_factory=dict)
    """The specification that was applied last; empty before the first one was."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What the operation was asked with, and the facts that its steps have returned so far."""
    backup: BackupFile | None = None
    """The backup that the operation makes, or restores."""
    since: datetime | None = None
    """When the operation began."""


class StepFailed(Exception):
    """A step did not succeed. `final`: another try would not, either. Has no secret in it."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class StepWaits(Exception):
    """A step waits for what takes as long as it takes: for tasks to end. It is done again after `again` seconds, however
    often. Has no secret in it."""

    def __init__(self, message: str, *, again: float = 5.0) -> None:
        super().__init__(message)
        self.again = again


class Driver(Protocol):
    """One kind of cluster. Its methods are called from several threads, for one Deployment from one at a time."""

    def steps(self, kind: Kind) -> Sequence[str]:
        """The steps of an operation, in order. A Deployment is as asked for when the last one has succeeded."""

    def undo(self, kind: Kind, failed: str) -> Sequence[str]:
        """The steps that bring a Deployment back to what it was before an operation that failed at this step. Empty: the
        operation is not undone, and the Deployment is what the step left."""

    def apply(self, step: str, document: Document) -> Mapping[str, Any] | None:
        """Do a step. The result is the same when it was done before, wholly or in part: the process that did it may have
        ended at any point. What is returned is kept with the operation, and is in `arguments` of the steps after it; it has
        no secret. Raises StepFailed, StepWaits."""

    def keep(self, document: Document) -> None:
        """Start again what shall run and does not. Called every few seconds for a Deployment that runs."""

    def observe(self, document: Document) -> Sequence[Condition]:
        """What is so at this moment. Changes nothing, and raises nothing for a Deployment that is broken."""


@dataclass(frozen=True)
class ComponentLog:
    """The end of a log."""

    lines: Sequence[str]
    source: str  # the file and the machine, for people


class LogReader(Protocol):
    """A driver of Deployments whose logs are where the platform is. Of a cluster with a controller no log comes to the platform."""

    def last_lines(self, document: Document, component: Component, count: int) -> ComponentLog:
        """The last lines that the component has written, `count` at the most and one at least. Changes nothing. Raises Refused
        NOT_FOUND while there is no line, and CONFLICT or UNAVAILABLE for what cannot be read: an empty log is never made up."""
