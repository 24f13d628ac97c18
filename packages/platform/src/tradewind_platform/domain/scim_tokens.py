"""The token by which an identity provider pushes people and groups: its form, and what may be shown of it."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "tw_scim_"
SHOWN: Final = len(PREFIX) + 4
"""Characters of a token that may be listed and logged."""

_SECRET: Final = 43  # 256 bits in URL-safe base64


def has_token_form(token: str) -> bool:
    """Whether it can be a SCIM token: prefix, length and characters."""
    body = token.removeprefix(PREFIX)
    return (
        token.startswith(PREFIX)
        and len(body) == _SECRET
        and body.isascii()
        and all(char.isalnum() or char in "-_" for char in body)
    )
