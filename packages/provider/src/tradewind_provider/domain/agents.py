"""How an agent is, as computed from its record and the moment; never as it says of itself."""

from __future__ import annotations

from enum import Enum


class End(str, Enum):
    """How a session ended."""

    GOODBYE = "goodbye"  # the agent said so
    FENCED = "fenced"  # another process opened a session as the same agent
    LOST = "lost"  # not heard from for too long
    TOKEN_DELETED = "token_deleted"
    TOKEN_EXPIRED = "token_expired"
    REMOVED = "removed"  # by an operator
