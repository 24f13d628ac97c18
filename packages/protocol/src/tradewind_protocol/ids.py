"""Identifiers and credentials, told apart by their prefix."""

from __future__ import annotations

import secrets
import string
from typing import Final

AGENT_TOKEN_PREFIX: Final = "tw_agent_"
"""An agent token: buys a session. 256 bits, stored by the plane as a hash, shown once. Between prefix and secret stands
the mark of the Deployment it was made in, so that another Deployment can tell it from one that never was."""

MARK_LENGTH: Final = 8
"""Characters of a Deployment's mark. It tells nothing and is no secret."""

SESSION_TOKEN_PREFIX: Final = "tw_session_"
"""A session token: what every later request of the agent carries. Short-lived, renewed in passing."""

LOCAL_SECRET_PREFIX: Final = "tw_local_"
"""A secret of the agent's local gateway: one per host process and one per attempt. Never leaves the machine."""


_SECRET_LENGTH: Final = 43


def new_secret(prefix: str, *, mark: str = "") -> str:
    """A fresh credential of 256 random bits, in characters that need no quoting anywhere. `mark` is that of the
    Deployment, for an agent token."""
    return prefix + mark + secrets.token_urlsafe(32)


def new_mark() -> str:
    """A mark for a Deployment."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(MARK_LENGTH))


def mark_of(agent_token: str) -> str:
    """The mark of the Deployment an agent token was made in; empty when it carries none."""
    body = agent_token.removeprefix(AGENT_TOKEN_PREFIX)
    return body[:MARK_LENGTH] if len(body) == MARK_LENGTH + _SECRET_LENGTH else ""


def has_form_of(token: str, prefix: str) -> bool:
    """True when `token` could be a credential of that kind: right prefix, right length, right alphabet."""
    body = token.removeprefix(prefix)
    lengths = {_SECRET_LENGTH}
    if prefix == AGENT_TOKEN_PREFIX:
        lengths.add(MARK_LENGTH + _SECRET_LENGTH)
    return (
        token.startswith(prefix)
        and len(body) in lengths
        and body.isascii()
        and all(c.isalnum() or c in "-_" for c in body)
    )


def shown(token: str) -> str:
    """What may be logged or listed of a credential: its prefix, mark and four characters, never enough to use it."""
    for prefix in (AGENT_TOKEN_PREFIX, SESSION_TOKEN_PREFIX, LOCAL_SECRET_PREFIX):
        if token.startswith(prefix):
            mark = len(mark_of(token)) if prefix == AGENT_TOKEN_PREFIX else 0
            return token[: len(prefix) + mark + 4] + "…"
    return "…"
