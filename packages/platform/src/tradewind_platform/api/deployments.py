"""Deployments and operations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import platform_of
from tradewind_platform.api.parameters import Limit, Offset, Reason, Reference
from tradewind_platform.api.reads import reading
from tradewind_platform.services import (
    cancellation,
    deployments,
    former_workspaces,
    operations,
    retries,
    workspace_moves,
)
from tradewind_protocol.operator import Page
from tradewind_protocol.platform import (
    ChangeDeployment,
    DeploymentView,
    MoveDeployment,
    NewDeployment,
    OperationView,
    PurgeDeployment,
)

router = APIRouter()
_Reference = Annotated[str | None, Query(min_length=1, max_length=50, pattern=r"^[a-z0-9-]+$")]


@router.get("/deployments", response_model=Page[DeploymentView])
def list_deployments(
    request: Request, workspace: _Reference = None, limit: Limit = 100, offset: Offset = 0
) -> Response:
    """Deployments that the caller may see."""
    now = platform_of(request).clock()
    with reading(request) as (db, caller):
        found = deployments.listed(db, caller, workspace=workspace, limit=limit, offset=offset, now=now)
    # Written by the message itself: a framework that looks at hundreds of Deployments again takes as long as the rest.
    return Response(found.model_dump_json(), media_type="application/json")


@router.post("/deployments", status_code=201, response_model=DeploymentView)
def create_deployment(request: Request, ask: NewDeployment, reason: Reason = "") -> Response:
    """Ask for a Deployment. `operation` of the answer makes it; poll it until it has ended."""
    return changes.run(
        request,
        "deployment.create",
        ask,
        lambda change: deployments.create(change, ask),
        reason=reason,
        status=201,
    )


@router.get("/deployments/{deployment}", response_model=DeploymentView)
def get_deployment(request: Request, deployment: Reference) -> Response:
    now = platform_of(request).clock()
    with reading(request) as (db, caller):
        return changes.respond(deployments.get(db, caller, deployment, now=now))


@router.patch("/deployments/{deployment}", response_model=DeploymentView)
def update_deployment(
    request: Request, deployment: Reference, ask: ChangeDeployment, reason: Reason = ""
) -> Response:
    """Change the fields that are sent."""
    return changes.run(
        request,
        "deployment.update",
        ask,
        lambda change: deployments.update(change, deployment, ask),
        reason=reason,
    )


@router.post("/deployments/{deployment}/move", response_model=DeploymentView)
def move_deployment(
    request: Request, deployment: Reference, ask: MoveDeployment, reason: Reason = ""
) -> Response:
    """Put it into another workspace: other people have roles on it at once, and other settings count once they are applied."""
    return changes.run(
        request,
        former_workspaces.MOVED,
        ask,
        lambda change: workspace_moves.move(change, deployment, ask),
        reason=reason,
    )


@router.delete("/deployments/{deployment}", status_code=202, response_model=OperationView)
def delete_deployment(request: Request, deployment: Reference, reason: Reason = "") -> Response:
    """End its processes and its route. Its data is kept for 14 days, in which it can be restored."""
    return changes.run(
        request,
        "deployment.delete",
        None,
        lambda change: deployments.delete(change, deployment),
        reason=reason,
        status=202,
    )


@router.post("/deployments/{deployment}/restore", status_code=202, response_model=OperationView)
def restore_deployment(request: Request, deployment: Reference, reason: Reason = "") -> Response:
    """Run a deleted Deployment again, with the data that it had."""
    return changes.run(
        request,
        "deployment.restore",
        None,
        lambda change: deployments.restore(change, deployment),
        reason=reason,
        status=202,
    )


@router.post("/deployments/{deployment}/purge", status_code=202, response_model=OperationView)
def purge_deployment(
    request: Request, deployment: Reference, ask: PurgeDeployment, reason: Reason = ""
) -> Response:
    """Erase the data of a deleted Deployment."""
    return changes.run(
        request,
        "deployment.purge",
        ask,
        lambda change: deployments.purge(change, deployment, ask),
        reason=reason,
        status=202,
    )


@router.get("/operations")
def list_operations(
    request: Request, deployment: _Reference = None, limit: Limit = 100, offset: Offset = 0
) -> Page[OperationView]:
    """Operations, the newest first."""
    with reading(request) as (db, caller):
        return operations.listed(db, caller, deployment=deployment, limit=limit, offset=offset)


@router.get("/operations/{operation}")
def get_operation(request: Request, operation: Reference) -> OperationView:
    with reading(request) as (db, caller):
        return operations.get(db, caller, operation)


@router.post("/operations/{operation}/cancel", status_code=202, response_model=OperationView)
def cancel_operation(request: Request, operation: Reference, reason: Reason = "") -> Response:
    """End an operation between two steps. What it did is undone where that is possible; past that point it goes on."""
    return changes.run(
        request,
        "operation.cancel",
        None,
        lambda change: cancellation.cancel(change, operation),
        reason=reason,
        status=202,
    )


@router.post("/operations/{operation}/retry", status_code=202, response_model=OperationView)
def retry_operation(request: Request, operation: Reference, reason: Reason = "") -> Response:
    """Begin a failed operation again, at the step that failed. Where options or variables were set since, its processes are given these."""
    return changes.run(
        request,
        "operation.retry",
        None,
        lambda change: retries.retry(change, operation),
        reason=reason,
        status=202,
    )
