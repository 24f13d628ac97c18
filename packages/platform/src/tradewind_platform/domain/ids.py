"""Ids: UUIDs that sort by the time they were made, and short ones for people, paths and host names."""

from __future__ import annotations

import secrets
from typing import Final
from uuid import UUID

import uuid6

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_LENGTH: Final = 7


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562)."""
    return UUID(int=uuid6.uuid7().int)


def new_deployment_slug() -> str:
    """The path and host label of a Deployment: `d` and 7 characters of base32. No slug is given twice."""
    return _short("d")


def new_cluster_slug() -> str:
    """The host label of a cluster: `c` and 7 characters of base32."""
    return _short("c")


def _short(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
