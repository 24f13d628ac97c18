"""Tokens of a minute for the Airflow of a Deployment, signed with its own key."""

from __future__ import annotations

import time
from typing import Final
from uuid import UUID

import jwt

from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.roles import AirflowRole

_SECONDS: Final = 60  # that a token of a request is good for

_PLATFORM: Final = UUID(int=0)


def token_for(
    deployment: UUID,
    key: str,
    *,
    name: str,
    role: AirflowRole,
    id: UUID = _PLATFORM,
    audit: bool = False,
) -> str:
    """A token for one request that the platform passes on for a user of that role, or sends itself."""
    now = int(time.time())
    claims = {
        "jti": new_id().hex,
        "sub": str(id),
        "name": name,
        "via": "platform",
        "role": role.value,
        "audit": audit,
        "aud": f"urn:tradewind:{deployment}",
        "iat": now,
        "nbf": now,
        "exp": now + _SECONDS,
    }
    return jwt.encode(claims, key, algorithm="HS512")
