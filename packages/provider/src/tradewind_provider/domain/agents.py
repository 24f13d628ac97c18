"""How an agent is, as computed from its record and the moment; never as it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from tradewind_protocol.states import AgentState


class SessionEnd(str, Enum):
    """How a session ended."""

    GOODBYE = "goodbye"  # the agent said so
    FENCED = "fenced"  # another process opened a session as the same agent
    LOST = "lost"  # not heard from for too long
    TOKEN_DELETED = "token_deleted"
    TOKEN_EXPIRED = "token_expired"


@dataclass(frozen=True)
class HeartbeatLimits:
    """How often an agent is expected to be heard, in seconds."""

    poll: float
    lost_after: float

    @property
    def missed_after(self) -> float:
        """A poll is answered after `poll` seconds and the next one follows at once; a fifth more is the way there
        and back."""
        return self.poll * 1.2


@dataclass(frozen=True)
class AgentRecord:
    """What the plane has written down about a session."""

    opened_at: datetime
    last_beat_at: datetime | None = None
    cordoned: bool = False
    draining: bool = False
    failing: bool = False  # a check of its own, or a task environment
    starting: bool = False  # a task environment is not ready yet
    ended: SessionEnd | None = None


def state_of(record: AgentRecord, now: datetime, beats: HeartbeatLimits) -> AgentState:
    """The state of an agent at `now`. Silence counts for more than what was asked of it before it fell silent."""
    if record.ended is not None:
        return AgentState.LOST if record.ended is SessionEnd.LOST else AgentState.OFFLINE
    silent = (now - (record.last_beat_at or record.opened_at)).total_seconds()
    if silent > beats.lost_after:
        return AgentState.LOST
    if silent > beats.missed_after:
        return AgentState.UNREACHABLE
    if record.last_beat_at is None:
        return AgentState.STARTING
    if record.draining:
        return AgentState.DRAINING
    if record.cordoned:
        return AgentState.CORDONED
    if record.failing:
        return AgentState.DEGRADED
    return AgentState.STARTING if record.starting else AgentState.HEALTHY


def silent_since(record: AgentRecord, listening_since: datetime) -> datetime:
    """From when an agent's silence counts: not from before this plane could hear it. A plane that was down or paused
    would otherwise give up every agent for its own absence."""
    return max(record.last_beat_at or record.opened_at, listening_since)


def lost(record: AgentRecord, now: datetime, beats: HeartbeatLimits, *, listening_since: datetime) -> bool:
    """True when the agent has been silent for `lost_after` seconds of the plane's attention."""
    return now - silent_since(record, listening_since) > timedelta(seconds=beats.lost_after)


@dataclass(frozen=True)
class Attention:
    """Since when a process has looked without a gap. A process that was stopped, or a machine that slept, starts over."""

    since: datetime
    last: datetime

    @classmethod
    def begins(cls, now: datetime) -> Attention:
        return cls(since=now, last=now)

    def at(self, now: datetime, *, longest_gap: float) -> Attention:
        """The attention after a look at `now`; from `now` anew when the last look is more than `longest_gap`
        seconds ago, or in the future (the clock was set back)."""
        gap = (now - self.last).total_seconds()
        return Attention.begins(now) if gap > longest_gap or gap < 0 else Attention(self.since, now)
