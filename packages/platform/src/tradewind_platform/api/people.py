"""Users, teams, the roles that they have, and invites."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import platform_of
from tradewind_platform.api.parameters import Limit, Offset, Reason, Reference
from tradewind_platform.api.reads import reading
from tradewind_platform.api.resources import page
from tradewind_platform.services import invites, role_bindings, teams, users
from tradewind_protocol.operator import Page
from tradewind_protocol.people import (
    AccessExplanation,
    AddMember,
    BindRole,
    ChangeTeam,
    ChangeUser,
    InviteView,
    NewInvite,
    NewTeam,
    RoleBindingView,
    TeamView,
    UserView,
)

router = APIRouter()
Named = Annotated[str | None, Query(min_length=1, max_length=50, pattern=r"^[a-z0-9-]+$")]


@router.get("/users")
def list_users(request: Request, limit: Limit = 100, offset: Offset = 0) -> Page[UserView]:
    with reading(request) as (db, caller):
        return page(users.listed(db, caller), limit, offset)


@router.get("/users/{user}")
def get_user(request: Request, user: Reference) -> UserView:
    with reading(request) as (db, caller):
        return users.get(db, caller, user)


@router.patch("/users/{user}", response_model=UserView)
def update_user(request: Request, user: Reference, ask: ChangeUser, reason: Reason = "") -> Response:
    """Disable a user, whose sessions end and whose tokens open nothing from then on, or enable one."""
    return changes.run(
        request, "user.update", ask, lambda change: users.update(change, user, ask), reason=reason
    )


@router.delete("/users/{user}/sessions", status_code=204)
def end_sessions_of_user(request: Request, user: Reference, reason: Reason = "") -> Response:
    """End all sessions of a user, who may sign in again."""
    return changes.run(
        request,
        "session.end",
        None,
        lambda change: users.end_sessions(change, user),
        reason=reason,
        status=204,
    )


@router.get("/teams")
def list_teams(request: Request, limit: Limit = 100, offset: Offset = 0) -> Page[TeamView]:
    with reading(request) as (db, caller):
        return page(teams.listed(db, caller), limit, offset)


@router.post("/teams", status_code=201, response_model=TeamView)
def create_team(request: Request, ask: NewTeam, reason: Reason = "") -> Response:
    return changes.run(
        request, "team.create", ask, lambda change: teams.create(change, ask), reason=reason, status=201
    )


@router.get("/teams/{team}", response_model=TeamView)
def get_team(request: Request, team: Reference) -> Response:
    with reading(request) as (db, caller):
        return changes.respond(teams.get(db, caller, team))


@router.patch("/teams/{team}", response_model=TeamView)
def update_team(request: Request, team: Reference, ask: ChangeTeam, reason: Reason = "") -> Response:
    """Change the fields that are sent. A team that becomes the identity provider's loses the members that people added."""
    return changes.run(
        request, "team.update", ask, lambda change: teams.update(change, team, ask), reason=reason
    )


@router.delete("/teams/{team}", status_code=204)
def delete_team(request: Request, team: Reference, reason: Reason = "") -> Response:
    """Its roles end with it."""
    return changes.run(
        request, "team.delete", None, lambda change: teams.delete(change, team), reason=reason, status=204
    )


@router.post("/teams/{team}/members", response_model=TeamView)
def add_team_member(request: Request, team: Reference, ask: AddMember, reason: Reason = "") -> Response:
    """Refused for a team whose members come from the identity provider."""
    return changes.run(
        request, "team.update", ask, lambda change: teams.add_member(change, team, ask), reason=reason
    )


@router.delete("/teams/{team}/members/{user}", response_model=TeamView)
def remove_team_member(request: Request, team: Reference, user: Reference, reason: Reason = "") -> Response:
    return changes.run(
        request, "team.update", None, lambda change: teams.remove_member(change, team, user), reason=reason
    )


@router.get("/role-bindings")
def list_role_bindings(
    request: Request, user: Named = None, team: Named = None, limit: Limit = 100, offset: Offset = 0
) -> Page[RoleBindingView]:
    """Roles of users and teams, on scopes whose members the caller may read."""
    with reading(request) as (db, caller):
        return page(role_bindings.listed(db, caller, user=user, team=team), limit, offset)


@router.post("/role-bindings", status_code=201, response_model=RoleBindingView)
def bind_role(request: Request, ask: BindRole, reason: Reason = "") -> Response:
    """Give a user or a team a role. The caller must have all that the role allows."""
    return changes.run(
        request, "role.bind", ask, lambda change: role_bindings.bind(change, ask), reason=reason, status=201
    )


@router.delete("/role-bindings/{binding}", status_code=204)
def unbind_role(request: Request, binding: UUID, reason: Reason = "") -> Response:
    return changes.run(
        request,
        "role.unbind",
        None,
        lambda change: role_bindings.unbind(change, binding),
        reason=reason,
        status=204,
    )


@router.get("/access/{user}")
def explain_access(
    request: Request, user: Reference, workspace: Named = None, deployment: Named = None
) -> AccessExplanation:
    """What a user may do on a Deployment, a workspace or the organization, and by which roles and teams."""
    with reading(request) as (db, caller):
        return role_bindings.explained(db, caller, user, workspace=workspace, deployment=deployment)


@router.get("/invites")
def list_invites(request: Request, limit: Limit = 100, offset: Offset = 0) -> Page[InviteView]:
    with reading(request) as (db, caller):
        return page(invites.listed(db, caller, now=platform_of(request).clock()), limit, offset)


@router.post("/invites", status_code=201, response_model=InviteView)
def create_invite(request: Request, ask: NewInvite, reason: Reason = "") -> Response:
    """A role for the person with an e-mail address, once the identity provider has verified it at a sign-in."""
    return changes.run(
        request, "invite.create", ask, lambda change: invites.create(change, ask), reason=reason, status=201
    )


@router.delete("/invites/{invite}", status_code=204)
def withdraw_invite(request: Request, invite: UUID, reason: Reason = "") -> Response:
    return changes.run(
        request,
        "invite.delete",
        None,
        lambda change: invites.withdraw(change, invite),
        reason=reason,
        status=204,
    )
