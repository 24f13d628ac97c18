"""The poll: what an agent has room for, and what the plane has for it. It is also the heartbeat."""

from __future__ import annotations

from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import Field

from tradewind_protocol.attempts import AttemptRef, Offer
from tradewind_protocol.messages import Message
from tradewind_protocol.sessions import Name, TaskEnvironment


class Room(Message):
    """Free slots of one task environment."""

    environment: Name
    queues: tuple[Name, ...] = Field(max_length=200)
    free: int = Field(ge=0, le=10_000)


class Finding(Message):
    """One of the agent's own checks that fails."""

    check: str = Field(max_length=100)  # stable key: "disk", "environment:default", "outbox"
    message: str = Field(max_length=2000)
    remedy: str = Field(default="", max_length=2000)


class CommandRefused(Message):
    """A command that the site's owner does not let the plane give."""

    id: UUID
    rule: str = Field(max_length=200)


class Poll(Message):
    """Say how things are and ask for news.

    Idempotent without a memory of requests: `holding` and `running` are everything this agent knows of, so an offer
    whose answer was lost is simply offered again, and a command not in `carried_out` is simply sent again.
    """

    room: tuple[Room, ...] = ()
    holding: tuple[AttemptRef, ...] = Field(default=(), max_length=20_000)  # offered, not started
    running: tuple[AttemptRef, ...] = Field(default=(), max_length=20_000)  # granted, not finished
    carried_out: tuple[UUID, ...] = Field(default=(), max_length=1000)  # commands done since the last answer
    refused: tuple[CommandRefused, ...] = Field(
        default=(), max_length=1000
    )  # those of them that a rule refused
    findings: tuple[Finding, ...] = Field(default=(), max_length=100)
    environments: tuple[TaskEnvironment, ...] | None = None  # when they changed since the session was opened
    draining: bool = False  # the agent takes nothing more by itself, and leaves when what runs has ended
    hold: float | None = None  # answer within this many seconds; None: the cadence decides; 0: at once


class Verb(str, Enum):
    """What the plane can ask of an agent."""

    STOP_ATTEMPT = "stop_attempt"  # arguments: attempt_id, epoch
    DRAIN = "drain"
    CORDON = "cordon"
    RESUME = "resume"
    SET_SLOTS = "set_slots"  # arguments: environment, slots
    STREAM_LOG = "stream_log"  # arguments: logs.StreamLog


class Command(Message):
    """Something to do. Sent until the agent names it in `carried_out`; carrying it out twice does no harm."""

    id: UUID
    verb: Verb
    arguments: dict[str, Any] = {}
    reason: str = ""  # for the agent's log and the task's
    asked_by: str = ""


class QueueStatistics(Message):
    """One queue, as the plane sees it."""

    queue: str
    depth: int
    oldest_wait: float  # seconds


class PollAnswer(Message):
    """News, or nothing after `cadence.poll` seconds."""

    offers: tuple[Offer, ...] = ()
    commands: tuple[Command, ...] = ()
    unknown: tuple[AttemptRef, ...] = ()  # attempts the agent named that are not its own any more: stop them
    session_token: str | None = Field(default=None, repr=False)  # a fresh one, when the old one nears its end
    queues: tuple[QueueStatistics, ...] = ()
