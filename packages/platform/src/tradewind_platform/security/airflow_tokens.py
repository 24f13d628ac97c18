"""Tokens of a minute for the Airflow of a Deployment, signed with its own key."""

from __future__ import annotations

import time
from typing import Final
from uuid import UUID

import jwt

from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.roles import AirflowRole

_SECONDS: Final = 60  # that a token of a request is good for


def token_for(deployment: UUID, key: str, *, name: str, role: AirflowRole) -> str:
    """A token that the Airflow takes for a user of that name and role."""
    now = int(time.time())
    claims = {
        "jti": new_id().hex,
        "sub": name,
        "role": role.value,
        "aud": f"urn:tradewind:{deployment}",
        "iat": now,
        "nbf": now,
        "exp": now + _SECONDS,
    }
    return jwt.encode(claims, key, algorithm="HS512")
