"""Workspaces and API tokens."""

from __future__ import annotations

from typing import TypeVar

from fastapi import APIRouter, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import platform_of
from tradewind_platform.api.parameters import Limit, Offset, Reason, Reference
from tradewind_platform.api.reads import reading
from tradewind_platform.services import api_tokens, workspace_clusters, workspaces
from tradewind_protocol.operator import Page
from tradewind_protocol.platform import (
    ApiTokenCreated,
    ApiTokenView,
    ChangeWorkspace,
    NewApiToken,
    NewWorkspace,
    RotateApiToken,
    WorkspaceClusterView,
    WorkspaceView,
)

router = APIRouter()
Item = TypeVar("Item")


def page(items: list[Item], limit: int, offset: int) -> Page[Item]:
    return Page[Item](
        items=tuple(items[offset : offset + limit]), total=len(items), limit=limit, offset=offset
    )


@router.get("/workspaces")
def list_workspaces(request: Request, limit: Limit = 100, offset: Offset = 0) -> Page[WorkspaceView]:
    """Workspaces that the caller may know of."""
    with reading(request) as (db, caller):
        return page(workspaces.listed(db, caller), limit, offset)


@router.post("/workspaces", status_code=201, response_model=WorkspaceView)
def create_workspace(request: Request, ask: NewWorkspace, reason: Reason = "") -> Response:
    return changes.run(
        request,
        "workspace.create",
        ask,
        lambda change: workspaces.create(change, ask),
        reason=reason,
        status=201,
    )


@router.get("/workspaces/{workspace}", response_model=WorkspaceView)
def get_workspace(request: Request, workspace: Reference) -> Response:
    with reading(request) as (db, caller):
        return changes.respond(workspaces.get(db, caller, workspace))


@router.patch("/workspaces/{workspace}", response_model=WorkspaceView)
def update_workspace(
    request: Request, workspace: Reference, ask: ChangeWorkspace, reason: Reason = ""
) -> Response:
    """Change the fields that are sent."""
    return changes.run(
        request,
        "workspace.update",
        ask,
        lambda change: workspaces.update(change, workspace, ask),
        reason=reason,
    )


@router.delete("/workspaces/{workspace}", status_code=204)
def delete_workspace(request: Request, workspace: Reference, reason: Reason = "") -> Response:
    return changes.run(
        request,
        "workspace.delete",
        None,
        lambda change: workspaces.delete(change, workspace),
        reason=reason,
        status=204,
    )


@router.get("/workspaces/{workspace}/clusters")
def list_workspace_clusters(
    request: Request, workspace: Reference, limit: Limit = 100, offset: Offset = 0
) -> Page[WorkspaceClusterView]:
    """Clusters that Deployments of the workspace may run in."""
    now = platform_of(request).clock()
    with reading(request) as (db, caller):
        return page(workspace_clusters.listed(db, caller, workspace, now), limit, offset)


@router.get("/api-tokens")
def list_api_tokens(request: Request, limit: Limit = 100, offset: Offset = 0) -> Page[ApiTokenView]:
    """The caller's own tokens, and those of scopes where it may read tokens. None has its value."""
    with reading(request) as (db, caller):
        return page(api_tokens.listed(db, caller), limit, offset)


@router.post("/api-tokens", status_code=201, response_model=ApiTokenCreated)
def create_api_token(request: Request, ask: NewApiToken, reason: Reason = "") -> Response:
    """The answer has the token's value, which is shown this once."""
    return changes.run(
        request,
        "apiToken.create",
        ask,
        lambda change: api_tokens.create(change, ask),
        reason=reason,
        status=201,
    )


@router.get("/api-tokens/{token}", response_model=ApiTokenView)
def get_api_token(request: Request, token: Reference) -> Response:
    with reading(request) as (db, caller):
        return changes.respond(api_tokens.get(db, caller, token))


@router.post("/api-tokens/{token}/rotate", response_model=ApiTokenCreated)
def rotate_api_token(
    request: Request, token: Reference, ask: RotateApiToken, reason: Reason = ""
) -> Response:
    """A new value. The one before is good for the overlap."""
    return changes.run(
        request, "apiToken.rotate", ask, lambda change: api_tokens.rotate(change, token, ask), reason=reason
    )


@router.delete("/api-tokens/{token}", status_code=204)
def delete_api_token(request: Request, token: Reference, reason: Reason = "") -> Response:
    return changes.run(
        request,
        "apiToken.delete",
        None,
        lambda change: api_tokens.delete(change, token),
        reason=reason,
        status=204,
    )
