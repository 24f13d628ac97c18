"""Roles, and what a custom one may allow."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.parameters import Reason
from tradewind_platform.api.reads import reading
from tradewind_platform.services import custom_roles
from tradewind_protocol.people import ChangeRole, NewRole, PermissionGroups, RoleMatrix, RoleView

router = APIRouter()
RoleName = Annotated[
    str,
    Path(
        min_length=1,
        max_length=50,
        pattern=r"^[a-z0-9_-]+$",
        description="A name, or the id of a custom role.",
    ),
]


@router.get("/authorization/permission-groups")
def list_permission_groups() -> PermissionGroups:
    """What a custom role may allow."""
    return custom_roles.permission_groups()


@router.get("/roles")
def list_roles(request: Request) -> RoleMatrix:
    """The built-in roles and the custom ones, with what each allows."""
    with reading(request) as (db, caller):
        return custom_roles.matrix(db, caller)


@router.post("/roles", status_code=201, response_model=RoleView)
def create_role(request: Request, ask: NewRole, reason: Reason = "") -> Response:
    """A custom role, for Deployments. The caller must have all that it allows, wherever it may be given."""
    return changes.run(
        request,
        "role.create",
        ask,
        lambda change: custom_roles.create(change, ask),
        reason=reason,
        status=201,
    )


@router.get("/roles/{role}", response_model=RoleView)
def get_role(request: Request, role: RoleName) -> Response:
    with reading(request) as (db, caller):
        return changes.respond(custom_roles.get(db, caller, role))


@router.patch("/roles/{role}", response_model=RoleView)
def update_role(request: Request, role: RoleName, ask: ChangeRole, reason: Reason = "") -> Response:
    """Change the fields that are sent, for each holder at once. The caller must have all that the role allows, before and after."""
    return changes.run(
        request, "role.update", ask, lambda change: custom_roles.update(change, role, ask), reason=reason
    )


@router.delete("/roles/{role}", status_code=204)
def delete_role(request: Request, role: RoleName, reason: Reason = "") -> Response:
    """Refused while someone has it. No other role gets its name."""
    return changes.run(
        request,
        "role.delete",
        None,
        lambda change: custom_roles.delete(change, role),
        reason=reason,
        status=204,
    )
