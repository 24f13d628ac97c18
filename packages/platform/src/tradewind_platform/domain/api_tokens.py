"""API tokens: their prefix, and whether a value still opens something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

PREFIX: Final = "tw_api_"
AS_OWNER: Final = "as_owner"
"""The role of a token that may what its owner may at the moment, everywhere."""
SHOWN: Final = len(PREFIX) + 4
"""Characters of a token that may be listed and logged."""


class Validity(str, Enum):
    GOOD = "good"
    EXPIRED = "expired"
    REPLACED = "replaced"  # a value from before a rotation, after the overlap
    DELETED = "deleted"


@dataclass(frozen=True)
class Value:
    """What is kept of one value of a token."""

    token_deleted: bool
    token_expires_at: datetime | None
    value_until: datetime | None  # set when the value was replaced: it is good until then


def validity(value: Value, now: datetime) -> Validity:
    if value.token_deleted:
        return Validity.DELETED
    if value.token_expires_at is not None and value.token_expires_at <= now:
        return Validity.EXPIRED
    if value.value_until is not None and value.value_until <= now:
        return Validity.REPLACED
    return Validity.GOOD
