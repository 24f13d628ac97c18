"""Maintenance of Deployments: windows, and work that recurs."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import platform_of
from tradewind_platform.api.parameters import Reason, Reference
from tradewind_platform.api.reads import reading
from tradewind_platform.services import maintenance
from tradewind_protocol.platform import OperationView
from tradewind_protocol.platform_life import ChangeMaintenance, CleanUp, MaintenanceView

router = APIRouter()


@router.get("/deployments/{deployment}/maintenance", response_model=MaintenanceView)
def get_maintenance(request: Request, deployment: Reference) -> Response:
    """Its maintenance windows, its recurring clean-up and backups, and what came of them last."""
    with reading(request) as (db, caller):
        return changes.respond(maintenance.get(db, caller, deployment, now=platform_of(request).clock()))


@router.patch("/deployments/{deployment}/maintenance", response_model=MaintenanceView)
def change_maintenance(
    request: Request, deployment: Reference, ask: ChangeMaintenance, reason: Reason = ""
) -> Response:
    """Change windows, the recurring clean-up or the recurring backups. Cron expressions are in UTC."""
    return changes.run(
        request,
        "deployment.maintenance.update",
        ask,
        lambda change: maintenance.change(change, deployment, ask),
        reason=reason,
    )


@router.post("/deployments/{deployment}/clean-up", status_code=202, response_model=OperationView)
def clean_up(request: Request, deployment: Reference, ask: CleanUp, reason: Reason = "") -> Response:
    """Delete old rows of its database while it runs. Refused outside its maintenance windows unless `now` is true."""
    return changes.run(
        request,
        "deployment.clean",
        ask,
        lambda change: maintenance.clean_up(change, deployment, ask),
        reason=reason,
        status=202,
    )
