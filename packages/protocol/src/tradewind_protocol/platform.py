"""What people and their scripts ask of the platform, and what they are told. Lives under `PREFIX` of its address."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from tradewind_protocol.messages import Message

PREFIX: Final = "/v1"
IF_MATCH_HEADER: Final = "If-Match"
"""The revision that a change was made for, in quotes. The change is refused with 412 when the resource has another one."""
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
"""On a POST: the same key and request get the same answer for a day, and change nothing twice."""

NAME: Final = r"^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$"
"""Lower-case letters, digits and hyphens, 50 at the most: a name can be typed, and stands in a path and in a file name."""

Name = Annotated[str, StringConstraints(pattern=NAME)]
Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Email = Annotated[str, StringConstraints(max_length=250, pattern=r"^[^\s@\x00]+@[^\s@\x00]+$")]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[a-z0-9-]+$")]
"""A resource by its name or its id."""


class Ask(Message):
    """A request. Fields that it does not have are refused: one that is ignored would be taken for done."""

    model_config = ConfigDict(extra="forbid")


# ---- the caller


class Grant(Message):
    """A role on a scope: the organization, a workspace or a Deployment."""

    role: str
    workspace: UUID | None = None
    deployment: UUID | None = None
    permissions: tuple[str, ...] = ()  # what the role allows on the scope and below it


class SignInSessionView(Message):
    """A session of a person who signed in with a browser."""

    id: UUID
    method: str  # password, identity_provider or break_glass
    created_at: datetime
    authenticated_at: datetime  # when the person last proved who they are
    last_seen_at: datetime
    ends_at: datetime  # at the latest; an hour without a request ends it, too
    address: str = ""
    client: str = ""
    current: bool = False  # the one that asks


class TerminalSignIn(Ask):
    """What a person decides about a terminal that asks to be signed in. The other fields are those of its request."""

    allow: bool
    redirect_uri: Annotated[str, StringConstraints(max_length=100)]
    state: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    code_challenge: Annotated[str, StringConstraints(max_length=100)]
    machine: Annotated[str, StringConstraints(max_length=63, pattern=r"^[A-Za-z0-9._-]*$")] = ""


class TerminalSignInDecided(Message):
    """Where the browser goes now: to the terminal, with a code or a refusal."""

    redirect_to: str = Field(repr=False)


class Me(Message):
    """The caller, as the platform knows it."""

    kind: str  # user, break_glass or token
    name: str
    organization: str
    organization_id: UUID | None = None
    user: UUID | None = None  # of a person, and of a personal token
    grants: tuple[Grant, ...] = ()
    session: SignInSessionView | None = None  # of a caller with a browser
    break_glass: bool = False  # signed in with a link of the platform's machine: pages say so


# ---- sign-in with a browser, below the platform's address and not below `PREFIX`

Password = Annotated[str, StringConstraints(min_length=12, max_length=1000, pattern=r"^[^\x00]*$")]


class SignIn(Ask):
    """Ask for a session by name and password."""

    name: str = Field(max_length=250)
    password: str = Field(max_length=1000, repr=False)


class Welcome(Ask):
    """Use a one-time link. One that makes the first administrator needs a name and a password."""

    code: str = Field(max_length=100, repr=False)
    name: Name | None = None
    password: Password | None = Field(default=None, repr=False)


class LinkAsk(Ask):
    """Ask what a one-time link is for. It stays usable."""

    code: str = Field(max_length=100, repr=False)


class LinkView(Message):
    """What a one-time link does when it is used."""

    kind: str  # first_administrator: needs a name and a password. break_glass: signs the user in
    name: str = ""
    expires_at: datetime


class NewPassword(Ask):
    """Ask for another password. A session that was begun with a link of the platform's machine needs no current one."""

    current: str = Field(default="", max_length=1000, repr=False)
    password: Password = Field(repr=False)


class SignInMethod(Message):
    """A way to sign in that the page offers."""

    kind: str  # password or identity_provider
    label: str
    url: str  # password: where name and password are sent. identity_provider: where the browser goes


class SignInOptions(Message):
    """What the sign-in page shows."""

    organization: str
    methods: tuple[SignInMethod, ...] = ()
    has_administrator: bool = True  # False: the link that the platform printed makes the first one


class SignedOut(Message):
    """The session has ended. The browser goes to `url`, where there is one, to end that at the identity provider."""

    url: str | None = None


# ---- workspaces and clusters


Quota = Annotated[int, Field(ge=0, le=100_000)]


class NewWorkspace(Ask):
    name: Name
    description: Text = ""
    deployments_at_most: Quota | None = None
    default_cluster: Reference | None = None  # of its Deployments that name none; a cluster that it may use


class ChangeWorkspace(Ask):
    """Only the fields that are sent change."""

    name: Name = ""
    description: Text = ""
    deployments_at_most: Quota | None = None  # None: no limit. Only an owner of the organization changes it
    default_cluster: Reference | None = None  # a cluster that it may use; None: none


class WorkspaceView(Message):
    id: UUID
    name: str
    description: str = ""
    deployments_at_most: int | None = None  # its quota; None: no limit
    deployments: int | None = None  # that count against it; None: the caller does not see them all
    default_cluster: UUID | None = None
    default_cluster_name: str = ""
    created_at: datetime
    created_by: str = ""
    updated_at: datetime
    updated_by: str = ""
    revision: int


class DnsRecord(Message):
    """A name that has to lead to the cluster's gateway."""

    name: str
    purpose: str


class ControllerView(Message):
    """The controller of a cluster, as it was heard last."""

    state: str  # connected, lost, or never (connected yet)
    version: str = ""
    last_beat_at: datetime | None = None
    facts: dict[str, str] = Field(default_factory=dict)  # what it says of the cluster
    sizes: tuple[str, ...] = ()  # that its Deployments may have


class ClusterView(Message):
    """Where Deployments run."""

    id: UUID
    slug: str
    name: str
    driver: str
    region: str = ""  # where it is, for people
    agents_url: str
    people_url: str
    created_at: datetime
    revision: int
    controller: ControllerView | None = None  # None: the platform itself does the work of this cluster
    workspaces: tuple[UUID, ...] = ()  # that may use it; none: all
    deployments: int = 0
    dns_records: tuple[DnsRecord, ...] = ()
    check: str = ""  # a command that shows that agents reach the gateway
    token_prefix: str = ""


class WorkspaceClusterView(Message):
    """A cluster that Deployments of a workspace may run in."""

    id: UUID
    name: str
    driver: str
    region: str = ""
    agents_url: str
    state: str  # of its controller: connected, lost, or never (connected yet: no Deployment is created there)
    sizes: tuple[str, ...] = ()  # that its Deployments may have
    is_default: bool = False  # for Deployments of the workspace that name none


# ---- API tokens


class NewApiToken(Ask):
    """Ask for a token that has one role on one scope: the organization, a workspace or a Deployment."""

    name: Name
    role: str
    workspace: Reference | None = None
    deployment: Reference | None = None
    description: Text = ""
    expires_in_days: int | None = Field(default=None, ge=1, le=3650)  # None: never
    personal: bool = False  # it never has more than its owner has at the moment


class RotateApiToken(Ask):
    """Ask for a new value. The one before is good for so many minutes more."""

    overlap_minutes: int = Field(default=60, ge=0, le=10080)


class ApiTokenView(Message):
    """An API token, without its value."""

    id: UUID
    name: str
    role: str  # "as_owner", of a terminal that was signed in by a browser: what its owner may at the moment
    workspace: UUID | None = None
    deployment: UUID | None = None
    owner: str = ""  # of a personal token
    description: str = ""
    prefix: str = ""
    created_at: datetime
    created_by: str = ""
    expires_at: datetime | None = None
    rotated_at: datetime | None = None
    last_used_at: datetime | None = None
    old_values_until: datetime | None = None
    revision: int


class ApiTokenCreated(ApiTokenView):
    """The only message that carries the value: it is shown once."""

    token: str = Field(repr=False)


# ---- the audit trail


class AuditEventView(Message):
    """One change that was made or refused."""

    id: UUID
    at: datetime
    actor: str
    actor_kind: str
    action: str
    target: str = ""
    workspace: UUID | None = None
    deployment: UUID | None = None
    result: str  # done, or the code of the refusal
    reason: str = ""
    request_id: str = ""
    address: str = ""
    client: str = ""
    changes: dict[str, Any] = {}


# ---- Deployments and operations

Policy = Annotated[
    str,
    StringConstraints(
        max_length=1000, pattern=r"^(strict|open)(, ?[A-Za-z0-9][A-Za-z0-9._-]*=(strict|open))*$"
    ),
]
"""The least strict data policy of the Deployment, and of sites of it by name: "strict, lab=open"."""


VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Value = Annotated[str, StringConstraints(max_length=32768, pattern=r"^[^\x00]*$")]
Network = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""In CIDR notation, or one address."""


class SetVariable(Ask):
    """The value of an environment variable in a layer."""

    value: Value = Field(repr=False)
    is_secret: bool = False  # it is never returned
    locked: bool = False


class NamedVariable(SetVariable):
    """A variable among several."""

    name: VariableName


Size = Annotated[str, StringConstraints(max_length=30, pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$")]
"""A size that the cluster's owner has named; empty: what Deployments of the cluster have usually."""


Contacts = Annotated[tuple[Email, ...], Field(max_length=20)]


class NewDeployment(Ask):
    """Ask for a Deployment: an Airflow of its own, with a database and keys of its own."""

    name: Name
    workspace: Reference = "default"
    cluster: Reference | None = (
        None  # None: the default one of the workspace, or the only one that it may use
    )
    description: Text = ""
    contact_emails: Contacts = ()
    policy: Policy = "strict"
    size: Size = ""
    deletion_protection: bool = False
    version: str | None = Field(
        default=None, pattern=r"^[0-9]{1,4}(\.[0-9]{1,4}){2}$"
    )  # of Airflow; None: the newest stable one
    variables: Annotated[tuple[NamedVariable, ...], Field(max_length=500)] = ()
    """Environment variables that its processes have from their first start on."""
    allowed_addresses: Annotated[tuple[Network, ...], Field(max_length=200)] = ()
    """Networks agents may connect from, until the list is changed in the Deployment. None: from anywhere."""


class ChangeDeployment(Ask):
    """Only the fields that are sent change. What the Airflow has to know is applied by an operation."""

    description: Text = ""
    contact_emails: Contacts = ()
    policy: Policy = "strict"
    size: Size = ""
    deletion_protection: bool = False


class MoveDeployment(Ask):
    """Ask that a Deployment belongs to another workspace: to its roles, its settings and its audit trail."""

    workspace: Reference


class PurgeDeployment(Ask):
    """Ask for the end of the data of a Deployment that was deleted. Its name is repeated, so that it is meant."""

    name: Name


class ConditionView(Message):
    """One observation of a Deployment. One that is false says why, and what to do."""

    type: str
    status: str  # true, false or unknown
    reason: str = ""
    message: str = ""
    remedy: str = ""
    since: datetime
    observed_revision: int = 0


class WorkloadView(Message):
    """How many agents a Deployment has and how much work, as its Airflow has told last."""

    agents: int  # that are connected, and those that were lost within the hour
    healthy_agents: int
    running: int
    queued: int
    database_bytes: int | None = None  # of its metadata database; None: it does not tell
    at: datetime


class DeploymentView(Message):
    """A Deployment: what the platform is doing with it, and what was observed of it."""

    id: UUID
    slug: str
    name: str
    workspace: UUID
    workspace_name: str
    cluster: UUID
    cluster_name: str
    description: str = ""
    contact_emails: tuple[str, ...] = ()  # to whom people write about it
    policy: str = "strict"
    size: str = ""  # of its processes; empty: what the cluster gives usually
    version: str = ""  # of Airflow; empty: that of the cluster's only environment
    deletion_protection: bool = False
    phase: str
    health: str
    health_reason: str = ""
    agent_url: str  # what agents are given
    people_url: str  # where people open its Airflow
    revision: int
    observed_revision: int
    operation: UUID | None = None  # that runs at the moment
    purge_after: datetime | None = None  # of one that was deleted
    conditions: tuple[ConditionView, ...] = ()
    workload: WorkloadView | None = None  # None: its Airflow has told none lately
    next_event: str = ""  # hibernate, wake or purge; empty: nothing is planned
    next_event_at: datetime | None = None
    created_at: datetime
    created_by: str = ""
    updated_at: datetime
    updated_by: str = ""


class StepView(Message):
    """A step of an operation."""

    name: str
    state: str
    tries: int = 0
    message: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


class OperationView(Message):
    """What the platform does to a Deployment, in steps. It ends as succeeded, failed or cancelled."""

    id: UUID
    deployment: UUID
    deployment_name: str
    workspace: UUID | None = None  # of the Deployment
    kind: str
    state: str
    error: str = ""
    facts: dict[str, Any] = {}  # what it was asked with, and what its steps found out
    steps: tuple[StepView, ...] = ()
    created_at: datetime
    created_by: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancelled_at: datetime | None = None  # when it was asked to end; it may have gone on
    cancelled_by: str = ""
    may_be_cancelled: bool = False  # it has not ended, and no step is past the point of return
