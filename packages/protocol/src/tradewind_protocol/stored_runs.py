"""What becomes of the runs that a site has stored values and logs of: the agent asks before it removes any."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Final

from pydantic import Field

from tradewind_protocol.messages import Message

PATH: Final = "/stored-runs"  # POST

AT_ONCE: Final = 100
"""Runs in one request."""

MOST_XCOMS: Final = 10_000
"""References of one run in an answer. A run with more is answered without."""


class RunFolder(Message):
    """A run, by the segments that name it in a storage (`tradewind_protocol.storage.segment`)."""

    dag: str = Field(max_length=100)
    run: str = Field(max_length=100)


class AskRuns(Message):
    """Ask for the fates of runs. Changes nothing."""

    runs: tuple[RunFolder, ...] = Field(max_length=AT_ONCE)


class Fate(str, Enum):
    """What the plane knows of a run."""

    LIVE = "live"  # it has not ended, or a task of it has not
    ENDED = "ended"
    DELETED = "deleted"  # the Dag is this site's, and has no such run
    UNKNOWN = "unknown"  # the plane does not know the Dag as one of this site


class RunFate(Message):
    """One run."""

    dag: str
    run: str
    fate: Fate
    ended_at: datetime | None = None
    xcoms: tuple[str, ...] | None = None
    """File names of the XCom values that an ended run still refers to; None: not looked."""


class RunFates(Message):
    """In the order they were asked for."""

    runs: tuple[RunFate, ...]
