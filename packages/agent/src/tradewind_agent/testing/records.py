"""What the fake plane keeps of attempts, sessions and readers of logs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from typing import Protocol as TypingProtocol
from uuid import UUID

from tradewind_protocol import sites
from tradewind_protocol.attempts import Outcome, WorkKind
from tradewind_protocol.logs import LogPiece
from tradewind_protocol.polling import Poll
from tradewind_protocol.sessions import OpenSession
from tradewind_protocol.states import AttemptState, OutcomeKind


@dataclass
class FakeAttempt:
    """Work on the fake plane."""

    id: UUID
    queue: str
    kind: WorkKind = field(default=WorkKind.TASK, kw_only=True)
    workload: dict[str, Any]
    state: AttemptState = AttemptState.QUEUED
    epoch: int = 0
    session_id: UUID | None = None
    offered_until: float = 0.0  # loop time
    outcomes: list[Outcome] = field(default_factory=list)  # every one that came, also the repeated
    outcome: OutcomeKind | None = None  # of the one that counts: the first, or LOST
    starts: int = 0
    handed_back: list[str] = field(default_factory=list)  # reasons


@dataclass
class FakeSession:
    """A session on the fake plane."""

    id: UUID
    token: str = field(repr=False)
    opened: OpenSession
    site: str = sites.DEFAULT  # of the token that bought it
    polls: list[tuple[float, Poll]] = field(default_factory=list)  # loop time of arrival
    former_tokens: set[str] = field(default_factory=set, repr=False)  # good as long as the session
    ended: str = ""  # why; empty while it lives
    fenced: bool = False


class LogReader(TypingProtocol):
    """A user at the fake plane who reads logs."""

    def take(self, piece: LogPiece) -> bool | None:
        """Whether more is wanted; None: another API server has the reader."""
