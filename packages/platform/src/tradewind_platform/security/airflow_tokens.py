"""Tokens of a minute for the Airflow of a Deployment, signed with its own key."""

from __future__ import annotations

import time
from typing import Final
from uuid import UUID

import jwt

from tradewind_platform.domain.deployment_access import DeploymentAccess
from tradewind_platform.domain.ids import new_id

_SECONDS: Final = 60  # that a token of a request is good for

_PLATFORM: Final = UUID(int=0)


def token_for(
    deployment: UUID,
    key: str,
    *,
    name: str,
    access: DeploymentAccess,
    id: UUID = _PLATFORM,
) -> str:
    """A token for one request that the platform passes on for a user who may do that, or sends itself."""
    now = int(time.time())
    claims = {
        "jti": new_id().hex,
        "sub": str(id),
        "name": name,
        "via": "platform",
        **access.on_the_wire(),
        "aud": f"urn:tradewind:{deployment}",
        "iat": now,
        "nbf": now,
        "exp": now + _SECONDS,
    }
    return jwt.encode(claims, key, algorithm="HS512")
