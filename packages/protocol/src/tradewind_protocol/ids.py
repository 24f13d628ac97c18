"""Identifiers and credentials, told apart by their prefix."""

from __future__ import annotations

import secrets
from typing import Final

AGENT_TOKEN_PREFIX: Final = "tw_agent_"
"""An agent token: buys a session. 256 bits, stored by the plane as a hash, shown once."""

SESSION_TOKEN_PREFIX: Final = "tw_session_"
"""A session token: what every later request of the agent carries. Short-lived, renewed in passing."""

LOCAL_SECRET_PREFIX: Final = "tw_local_"
"""A secret of the agent's local gateway: one per host process and one per attempt. Never leaves the machine."""


def new_secret(prefix: str) -> str:
    """A fresh credential of 256 random bits, in characters that need no quoting anywhere."""
    return prefix + secrets.token_urlsafe(32)


def has_form_of(token: str, prefix: str) -> bool:
    """True when `token` could be a credential of that kind: right prefix, right length, right alphabet."""
    body = token.removeprefix(prefix)
    return token.startswith(prefix) and len(body) == 43 and all(c.isalnum() or c in "-_" for c in body)


def shown(token: str) -> str:
    """What may be logged or listed of a credential: its prefix and four characters, never enough to use it."""
    for prefix in (AGENT_TOKEN_PREFIX, SESSION_TOKEN_PREFIX, LOCAL_SECRET_PREFIX):
        if token.startswith(prefix):
            return token[: len(prefix) + 4] + "…"
    return "…"
