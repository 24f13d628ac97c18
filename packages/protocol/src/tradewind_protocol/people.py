"""Users, teams, roles, invites, and sign-in at an identity provider, as the platform's API has them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from tradewind_protocol.messages import Message
from tradewind_protocol.platform import Ask, Email, Name, Reference, Text

Short = Annotated[str, StringConstraints(max_length=250, pattern=r"^[^\x00]*$")]

# ---- sign-in at an identity provider


class GroupMapping(Ask):
    """A group of the identity provider, and the teams whose member it makes a person."""

    group: Short
    teams: tuple[Name, ...] = Field(max_length=100)


class SignInSettings(Ask):
    """How people sign in at the organization's identity provider. The client's secret is sent, and never returned."""

    label: Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[^\x00<>]*$")] = (
        "Identity provider"
    )
    issuer: Annotated[str, StringConstraints(max_length=250, pattern=r"^https?://[^\s\x00?#]+$")]
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=250, pattern=r"^[^\x00]*$")]
    client_secret: Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")] | None = Field(
        default=None, repr=False
    )  # None: the one that is kept
    scopes: Annotated[str, StringConstraints(max_length=250, pattern=r"^[\x21-\x7e]+( [\x21-\x7e]+)*$")] = (
        "openid profile email"
    )
    groups_claim: Short = ""  # dots lead into objects: realm_access.roles. Empty: no groups
    groups_filter: Short = ""  # a regular expression; other groups are left out
    group_teams: tuple[GroupMapping, ...] = Field(default=(), max_length=1000)
    create_teams: bool = False  # make a team for each group that is not mapped
    allowed_groups: tuple[Short, ...] = Field(
        default=(), max_length=1000
    )  # empty: every user that the provider lets in
    acr_values: Short = ""  # asked for, separated by spaces
    required_acr: tuple[Short, ...] = Field(
        default=(), max_length=20
    )  # one of these, or the sign-in is refused
    required_amr: tuple[Short, ...] = Field(
        default=(), max_length=20
    )  # one of these, or the sign-in is refused
    refresh_minutes: int = Field(default=10, ge=1, le=720)  # how often the provider is asked about a session
    sign_in_again_minutes: int | None = Field(
        default=None, ge=1, le=720
    )  # before sensitive changes; None: never


class SignInTest(Message):
    """What the last test sign-in showed."""

    at: datetime
    claims: dict[str, Any] = {}
    groups: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()  # the person would be a member of
    refused: str = ""  # why a person with these claims would not come in


class SignInSettingsView(Message):
    """Settings without the client's secret."""

    label: str
    issuer: str
    client_id: str
    has_client_secret: bool = False
    scopes: str = ""
    groups_claim: str = ""
    groups_filter: str = ""
    group_teams: tuple[GroupMapping, ...] = ()
    create_teams: bool = False
    allowed_groups: tuple[str, ...] = ()
    acr_values: str = ""
    required_acr: tuple[str, ...] = ()
    required_amr: tuple[str, ...] = ()
    refresh_minutes: int = 10
    sign_in_again_minutes: int | None = None
    updated_at: datetime
    updated_by: str
    test: SignInTest | None = None
    revision: int


class SignInView(Message):
    """Sign-in of the organization: the settings in use, and those that wait for a test."""

    active: SignInSettingsView | None = None
    draft: SignInSettingsView | None = None
    redirect_uri: str  # to be registered at the identity provider, with the next two
    back_channel_logout_uri: str
    post_logout_redirect_uri: str
    test_url: str | None = None  # where an owner's browser tests the draft


class SignInRefusal(Message):
    """Why a sign-in at the identity provider came to nothing: what the page shows for `/sign-in?refused=REASON`."""

    reason: str
    message: str
    remedy: str = ""


# ---- people and groups that an identity provider pushes by SCIM


class NewScimToken(Ask):
    """Ask for a SCIM token: with the first, SCIM is on. The one before is good for so many minutes more."""

    overlap_minutes: int = Field(default=60, ge=0, le=10080)


class ScimView(Message):
    """Whether an identity provider may push people and groups, and what is known of its token."""

    enabled: bool
    base_url: str  # where the identity provider pushes to
    prefix: str = ""  # of the token
    created_at: datetime | None = None  # None: there is no token
    created_by: str = ""
    last_used_at: datetime | None = None
    old_values_until: datetime | None = None
    users: int = 0  # that were pushed, and not deleted
    groups: int = 0


class ScimTokenCreated(ScimView):
    """The only message that carries the SCIM token: it is shown once."""

    token: str = Field(repr=False)


# ---- roles


AirflowRoleName = Literal["VIEWER", "USER", "OP", "ADMIN"]
PermissionName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z.]+$")]


class RoleView(Message):
    """A role: what it may be bound to, what it allows, and its role in Airflow.

    The fields from `custom` on say something of a custom role only: built-in ones do not change.
    """

    name: str
    level: str
    permissions: tuple[str, ...]
    airflow_role: str | None = None
    custom: bool = False
    id: UUID | None = None
    description: str = ""
    workspaces: tuple[UUID, ...] | None = None  # it may be given on their Deployments only; None: on any
    created_at: datetime | None = None
    created_by: str = ""
    updated_at: datetime | None = None
    updated_by: str = ""
    revision: int | None = None


class RoleMatrix(Message):
    """Every role and every permission."""

    roles: tuple[RoleView, ...]
    permissions: tuple[str, ...]
    retired: tuple[str, ...] = ()  # names that no role may have again


class NewRole(Ask):
    """Ask for a custom role, which is given on Deployments. It has `deployment.get` whether it is named or not.

    Its name is its own for ever: no other role gets it, and it does not change.
    """

    name: Name
    description: Text = ""
    permissions: tuple[PermissionName, ...] = Field(max_length=100)
    airflow_role: AirflowRoleName | None = None  # None: no role in Airflow
    workspaces: tuple[Reference, ...] | None = Field(
        default=None, min_length=1, max_length=1000
    )  # None: of any workspace


class ChangeRole(Ask):
    """Only the fields that are sent change. Each is sent whole."""

    description: Text = ""
    permissions: tuple[PermissionName, ...] = Field(default=(), max_length=100)
    airflow_role: AirflowRoleName | None = None
    workspaces: tuple[Reference, ...] | None = Field(default=None, min_length=1, max_length=1000)


class PermissionGroup(Message):
    """Permissions that a custom role may have, about one part of a Deployment."""

    name: str
    title: str
    permissions: tuple[str, ...]


class PermissionGroups(Message):
    """All that a custom role may have."""

    groups: tuple[PermissionGroup, ...]
    airflow_roles: tuple[str, ...]  # the least one first
    always: tuple[str, ...]  # permissions that each custom role has


class BindRole(Ask):
    """Ask to bind a role to a user or a team on a scope. Neither workspace nor Deployment: the organization."""

    user: Reference | None = None
    team: Reference | None = None
    role: str
    workspace: Reference | None = None
    deployment: Reference | None = None


class RoleBindingView(Message):
    """A role of a user or a team on a scope."""

    id: UUID
    kind: str  # user or team
    subject: UUID
    subject_name: str
    role: str
    workspace: UUID | None = None
    workspace_name: str = ""
    deployment: UUID | None = None
    deployment_name: str = ""
    created_at: datetime
    created_by: str = ""


class AccessPath(Message):
    """One reason why a user may do something: a role, where it is bound, and the team that it comes through."""

    role: str
    scope: str  # "the organization", "workspace default" or "Deployment sales"
    team: str = ""
    permissions: tuple[str, ...] = ()
    airflow_role: str | None = None


class AccessExplanation(Message):
    """What a user may do on a Deployment, a workspace or the organization, and why."""

    user: str
    target: str
    disabled: bool = False
    paths: tuple[AccessPath, ...] = ()
    permissions: tuple[str, ...] = ()
    airflow_role: str | None = None


# ---- users, teams, invites


class UserView(Message):
    """A person."""

    id: UUID
    name: str
    full_name: str = ""
    email: str = ""
    status: str  # active or disabled
    signs_in_by: tuple[str, ...] = ()  # password, identity_provider
    teams: tuple[str, ...] = ()
    provisioned: bool = False  # an identity provider pushes the person by SCIM
    created_at: datetime
    signed_in_at: datetime | None = None


class ChangeUser(Ask):
    """Disable a user, which ends all of their sessions and tokens' rights, or enable one."""

    disabled: bool


class NewTeam(Ask):
    name: Name
    description: Text = ""
    idp_managed: bool = False  # its members come from the identity provider only


class ChangeTeam(Ask):
    """Only the fields that are sent change."""

    description: Text = ""
    idp_managed: bool = False


class AddMember(Ask):
    user: Reference


class TeamMemberView(Message):
    user: UUID
    name: str
    source: str  # manual, idp or scim


class TeamView(Message):
    id: UUID
    name: str
    description: str = ""
    idp_managed: bool = False
    members: tuple[TeamMemberView, ...] = ()
    created_at: datetime
    created_by: str = ""
    updated_at: datetime
    updated_by: str = ""
    revision: int


class NewInvite(Ask):
    """Ask for a role that the person with this e-mail address gets at the first sign-in, once the provider verified it."""

    email: Email
    role: str
    workspace: Reference | None = None
    deployment: Reference | None = None
    expires_in_days: int = Field(default=14, ge=1, le=90)


class InviteView(Message):
    id: UUID
    email: str
    role: str
    workspace: UUID | None = None
    deployment: UUID | None = None
    status: str  # pending, accepted or expired
    created_at: datetime
    created_by: str = ""
    expires_at: datetime
    accepted_at: datetime | None = None
    accepted_by: str = ""  # the user's name
