"""Sessions of people who have signed in: how long one lasts, and why it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

IDLE: Final = timedelta(hours=1)
"""A session that sends no request for so long is over."""
LIFETIME: Final = timedelta(hours=12)
"""A session is over after so long, whatever it sends."""
BREAK_GLASS_LIFETIME: Final = timedelta(minutes=15)
"""A session that was begun with a link of the platform's machine is over after so long."""


class Method(str, Enum):
    """How a person signed in."""

    PASSWORD = "password"
    IDENTITY_PROVIDER = "identity_provider"
    BREAK_GLASS = "break_glass"


class EndReason(str, Enum):
    """Why a session was ended before its time."""

    SIGNED_OUT = "signed_out"
    ENDED_BY_USER = "ended_by_user"
    ENDED_BY_ADMINISTRATOR = "ended_by_administrator"
    USER_DISABLED = "user_disabled"
    LOGGED_OUT_AT_IDENTITY_PROVIDER = "logged_out_at_identity_provider"
    REFUSED_BY_IDENTITY_PROVIDER = "refused_by_identity_provider"
    SIGNED_IN_AGAIN = "signed_in_again"


class SessionState(str, Enum):
    LIVE = "live"
    IDLE = "idle"
    OVER = "over"
    ENDED = "ended"


@dataclass(frozen=True)
class SessionTimes:
    """What decides whether a session is over."""

    last_seen_at: datetime
    ends_at: datetime
    ended_at: datetime | None


def lifetime(method: Method) -> timedelta:
    return BREAK_GLASS_LIFETIME if method is Method.BREAK_GLASS else LIFETIME


def state(times: SessionTimes, now: datetime) -> SessionState:
    if times.ended_at is not None:
        return SessionState.ENDED
    if times.ends_at <= now:
        return SessionState.OVER
    return SessionState.IDLE if times.last_seen_at + IDLE <= now else SessionState.LIVE
