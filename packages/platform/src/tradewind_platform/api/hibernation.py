"""Hibernation of Deployments."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import platform_of
from tradewind_platform.api.parameters import Reason, Reference
from tradewind_platform.api.reads import reading
from tradewind_platform.services import hibernation
from tradewind_protocol.platform import OperationView
from tradewind_protocol.platform_life import ChangeHibernation, Hibernate, HibernationView, WakeUp

router = APIRouter()


@router.get("/deployments/{deployment}/hibernation", response_model=HibernationView)
def get_hibernation(request: Request, deployment: Reference) -> Response:
    """Schedules, the override that holds, and what comes next."""
    with reading(request) as (db, caller):
        now = platform_of(request).clock()
        return changes.respond(hibernation.get(db, caller, deployment, now=now))


@router.put("/deployments/{deployment}/hibernation", response_model=HibernationView)
def set_hibernation(
    request: Request, deployment: Reference, ask: ChangeHibernation, reason: Reason = ""
) -> Response:
    """Follow these schedules from now on. Cron expressions are in UTC."""
    return changes.run(
        request,
        "deployment.hibernation.update",
        ask,
        lambda change: hibernation.set_schedules(change, deployment, ask),
        reason=reason,
    )


@router.post("/deployments/{deployment}/hibernate", status_code=202, response_model=OperationView)
def hibernate(request: Request, deployment: Reference, ask: Hibernate, reason: Reason = "") -> Response:
    """End its processes when its tasks have ended. Its agents wait, and nothing of it is lost."""
    return changes.run(
        request,
        "deployment.hibernate",
        ask,
        lambda change: hibernation.hibernate(change, deployment, ask),
        reason=reason,
        status=202,
    )


@router.post("/deployments/{deployment}/wake", status_code=202, response_model=OperationView)
def wake_up(request: Request, deployment: Reference, ask: WakeUp, reason: Reason = "") -> Response:
    """Start its processes again. Runs that it missed follow each Dag's catchup."""
    return changes.run(
        request,
        "deployment.wake",
        ask,
        lambda change: hibernation.wake_up(change, deployment, ask),
        reason=reason,
        status=202,
    )
