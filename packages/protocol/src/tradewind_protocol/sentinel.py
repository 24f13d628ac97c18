"""What a sentinel reports: the agents of a namespace or a machine as it sees them from outside, and what is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, Field

from tradewind_protocol.messages import Message
from tradewind_protocol.sessions import Name

REPORT: Final = "/sentinel/report"  # POST, with a sentinel's token
"""Path under `paths.PREFIX`. A report replaces the one before it: sent again, it changes nothing."""

LONGEST: Final = 1000

Text = Annotated[str, AfterValidator(lambda text: text[:LONGEST])]
"""Text for a person; the rest of a longer one is dropped."""


class SentinelFinding(Message):
    """One thing that is wrong, as the owner of the site reads it."""

    check: str = Field(
        max_length=100
    )  # stable key: "image_pull", "out_of_memory"; docs/reference/sentinel-findings.md
    subject: str = Field(default="", max_length=250)  # the agent, its group, or a check of the sentinel's own
    cause: Text  # one sentence
    evidence: Text = ""  # what was seen, without credentials
    remedy: Text = ""
    since: datetime
    count: int = Field(default=1, ge=0, le=2**31)  # how often it was seen


class WatchedAgent(Message):
    """A pod, unit or process of an agent."""

    name: str = Field(max_length=250)  # also the agent's name, where the chart or the unit started it
    group: str = Field(default="", max_length=250)
    state: str = Field(max_length=50)  # "running", "pending", "failed", "ending", "ended"
    ready: bool = False
    restarts: int = Field(default=0, ge=0, le=2**31)
    since: datetime | None = None  # in which it started


class WatchedGroup(Message):
    """Agents that are scaled together, and how many there are."""

    name: str = Field(max_length=250)
    queues: tuple[Name, ...] = Field(default=(), max_length=200)
    least: int | None = Field(default=None, ge=0)  # 0: may be at zero on purpose, and wakes on work
    most: int | None = Field(default=None, ge=0)
    present: int = 0
    ready: int = 0


class SentinelReport(Message):
    """How things are at one moment."""

    instance: UUID  # new with every process
    name: Name
    version: str = Field(default="", max_length=50)
    platform: str = Field(default="", max_length=50)  # "kubernetes", "systemd"
    scope: str = Field(default="", max_length=250)  # the namespace, or the machine
    agents: tuple[WatchedAgent, ...] = Field(default=(), max_length=2000)
    groups: tuple[WatchedGroup, ...] = Field(default=(), max_length=200)
    findings: tuple[SentinelFinding, ...] = Field(default=(), max_length=500)


class QueueCanary(Message):
    """How the last canary of a queue of the sentinel's site went. Kind and hop are as `operator.CanaryView` names them; one that a
    newer plane made up is shown as it is."""

    queue: Name
    result: str = Field(max_length=50)
    at: datetime
    hop: str = Field(default="", max_length=50)  # the part of the way that fails; empty: none does
    reason: Text = ""
    remedy: Text = ""
    agent: str = Field(default="", max_length=250)  # that had it
    seconds: dict[str, float] = {}  # how long each part took, as far as it came
    ok_at: datetime | None = None  # when one went all the way
    failures: int = Field(default=0, ge=0, le=2**31)  # since then


MOST_CANARIES: Final = 200


class ReportTaken(Message):
    """The plane has the report."""

    every: float = 30.0  # seconds until the next one
    # of the site's queues, those that fail first; an older plane tells of none
    canaries: tuple[QueueCanary, ...] = Field(default=(), max_length=MOST_CANARIES)
