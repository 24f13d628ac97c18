"""All SCIM paths."""

from __future__ import annotations

from fastapi import APIRouter

from tradewind_platform.api.scim import discovery, groups, searches, users
from tradewind_platform.services.scim_tokens import PATH

router = APIRouter(prefix=PATH, include_in_schema=False)
for one in (users, groups, searches, discovery):
    router.include_router(one.router)
