"""Identifiers and credentials, told apart by their prefix."""

from __future__ import annotations

import secrets
import string
from enum import Enum
from typing import Final

AGENT_TOKEN_PREFIX: Final = "tw_agent_"
"""An agent token: buys a session. 256 bits, stored by the plane as a hash, shown once. Between prefix and secret stands
the mark of the Deployment it was made in, so that another Deployment can tell it from one that never was."""

SCALER_TOKEN_PREFIX: Final = "tw_scale_"
"""A scaler's token: reads the queue numbers of its site, and opens nothing."""

SENTINEL_TOKEN_PREFIX: Final = "tw_sentinel_"
"""A sentinel's token: reports for its site, and reads its queue numbers. It buys no session."""


class TokenKind(str, Enum):
    """What a token that people make is for. A kind has a prefix of its own."""

    AGENT = "agent"
    SCALER = "scaler"
    SENTINEL = "sentinel"

    @property
    def prefix(self) -> str:
        return _PREFIXES[self]

    @classmethod
    def of(cls, token: str) -> TokenKind | None:
        """The kind whose form `token` has: prefix, length and alphabet; None when it is none of them."""
        return next((kind for kind in cls if has_form_of(token, kind.prefix)), None)


_PREFIXES: Final = {
    TokenKind.AGENT: AGENT_TOKEN_PREFIX,
    TokenKind.SCALER: SCALER_TOKEN_PREFIX,
    TokenKind.SENTINEL: SENTINEL_TOKEN_PREFIX,
}

MARK_LENGTH: Final = 8
"""Characters of a Deployment's mark. It tells nothing and is no secret."""

SESSION_TOKEN_PREFIX: Final = "tw_session_"
"""A session token: what every later request of the agent carries. Short-lived, renewed in passing."""

LOCAL_SECRET_PREFIX: Final = "tw_local_"
"""A secret of the agent's local gateway: one for each component's process and each attempt. Never leaves the machine."""


_SECRET_LENGTH: Final = 43


def new_secret(prefix: str, *, mark: str = "") -> str:
    """A fresh credential of 256 random bits, in characters that need no quoting anywhere. `mark` is that of the
    Deployment, for a token that people make."""
    return prefix + mark + secrets.token_urlsafe(32)


def new_mark() -> str:
    """A mark for a Deployment."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(MARK_LENGTH))


def mark_of(token: str) -> str:
    """The mark of the Deployment a token was made in; empty when it carries none."""
    prefix = next((one for one in _PREFIXES.values() if token.startswith(one)), AGENT_TOKEN_PREFIX)
    body = token.removeprefix(prefix)
    return body[:MARK_LENGTH] if len(body) == MARK_LENGTH + _SECRET_LENGTH else ""


def has_form_of(token: str, prefix: str) -> bool:
    """True when `token` could be a credential of that kind: right prefix, right length, right alphabet."""
    body = token.removeprefix(prefix)
    lengths = {_SECRET_LENGTH}
    if prefix in _PREFIXES.values():
        lengths.add(MARK_LENGTH + _SECRET_LENGTH)
    return (
        token.startswith(prefix)
        and len(body) in lengths
        and body.isascii()
        and all(c.isalnum() or c in "-_" for c in body)
    )


def shown(token: str) -> str:
    """What may be logged or listed of a credential: its prefix, mark and four characters, never enough to use it."""
    for prefix in (*_PREFIXES.values(), SESSION_TOKEN_PREFIX, LOCAL_SECRET_PREFIX):
        if token.startswith(prefix):
            mark = len(mark_of(token)) if prefix in _PREFIXES.values() else 0
            return token[: len(prefix) + mark + 4] + "…"
    return "…"
