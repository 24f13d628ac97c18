"""The routes of the life of a Deployment."""

from __future__ import annotations

from fastapi import APIRouter

from tradewind_platform.api import component_logs, configuration, deploys, hibernation, maintenance, upgrades

router = APIRouter()
for _one in (component_logs, configuration, deploys, hibernation, maintenance, upgrades):
    router.include_router(_one.router)
