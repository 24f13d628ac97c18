"""What the reconciler asks of a driver. It is given documents, and never the platform's database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from tradewind_platform.domain.health import Condition
from tradewind_platform.domain.operations import Kind


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


class StepFailed(Exception):
    """A step did not succeed. `final`: another try would not, either. Has no secret in it."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Driver(Protocol):
    """One kind of cluster. Its methods are called from several threads, for one Deployment from one at a time."""

    def steps(self, kind: Kind) -> Sequence[str]:
        """The steps of an operation, in order. A Deployment is as asked for when the last one has succeeded."""

    def apply(self, step: str, document: Document) -> None:
        """Do a step. The result is the same when it was done before, wholly or in part: the process that did it may have
        ended at any point. Raises StepFailed."""

    def keep(self, document: Document) -> None:
        """Start again what shall run and does not. Called every few seconds for a Deployment that runs."""

    def observe(self, document: Document) -> Sequence[Condition]:
        """What is so at this moment. Changes nothing, and raises nothing for a Deployment that is broken."""
