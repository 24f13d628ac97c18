"""What people and their scripts ask of a plane, and what they are told. Lives under `paths.OPERATOR_PREFIX`."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import Field

from tradewind_protocol import sites
from tradewind_protocol.attempts import CanaryHop, WorkKind
from tradewind_protocol.errors import Code
from tradewind_protocol.ids import TokenKind
from tradewind_protocol.messages import Message
from tradewind_protocol.polling import Finding
from tradewind_protocol.sentinel import SentinelFinding, WatchedAgent, WatchedGroup
from tradewind_protocol.sessions import Host, Name, Policy
from tradewind_protocol.states import AgentState, AttemptState, Component, OutcomeKind, ProcessEnd

Item = TypeVar("Item")


class Page(Message, Generic[Item]):
    """Part of a list: `total` counts what the filters match, `items` is `limit` of them from `offset` on."""

    items: tuple[Item, ...]
    total: int
    limit: int
    offset: int


# ---- agent tokens


class NewToken(Message):
    """Ask for an agent token."""

    name: Name
    site: Name = (
        sites.DEFAULT
    )  # whose agents it is for: they get the work of this site's bundles and no other
    kind: TokenKind = TokenKind.AGENT  # what it is for: an agent, a scaler or a sentinel of that site
    description: str = Field(default="", max_length=1000)
    expires_in_days: int | None = Field(default=None, ge=1, le=3650)  # None: never


class TokenView(Message):
    """An agent token, without its value."""

    id: UUID
    name: str
    site: str = sites.DEFAULT
    kind: TokenKind = TokenKind.AGENT
    description: str = ""
    prefix: str = ""  # the first characters of the value, to recognise it by
    created_at: datetime
    created_by: str = ""
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    rotated_at: datetime | None = None  # when its value was last replaced
    old_values_until: datetime | None = None  # a value it had before opens sessions until then


class TokenCreated(TokenView):
    """A new agent token, or a new value of one. The only message that carries the value: it is shown once."""

    token: str = Field(repr=False)


# ---- attempts


class AttemptView(Message):
    """One attempt to run one piece of work."""

    id: UUID
    kind: WorkKind
    label: str = ""  # "dag.task [run, map 3, try 2]"
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int = -1
    try_number: int | None = None
    site: str | None = None  # whose agents may have it; None: no site has its bundle
    bundle: str | None = None  # the Dag bundle an agent needs for it; None: it needs none
    queue: str
    priority: int = 0
    state: AttemptState
    epoch: int = 0
    agent_id: UUID | None = None
    agent_name: str = ""
    created_at: datetime
    granted_at: datetime | None = None
    finished_at: datetime | None = None
    waited: float = 0.0  # seconds between creation and grant, or until now
    outcome: OutcomeKind | None = None
    process: ProcessEnd | None = None  # how its process ended; None while it has not
    exit_code: int | None = None
    signal: str | None = None  # "SIGKILL"
    task_state: str | None = None  # in which its process left the task: "success", "failed", "up_for_retry" …
    reason: str = ""
    waits_for: str = ""  # while it waits: which agent could take it, and why none does, for a person


# ---- sentinels


class SentinelFindingView(SentinelFinding):
    """What a sentinel finds wrong."""

    site: str
    sentinel: str  # its name


class SentinelView(Message):
    """A sentinel, and what it reported last."""

    name: str
    site: str
    lost: bool = False  # it missed three reports
    version: str = ""
    platform: str = ""  # "kubernetes", "machine"
    scope: str = ""  # namespace
    token: str = ""  # name of the token it came with
    first_at: datetime
    last_at: datetime
    age: float = 0.0  # seconds since the last report
    agents: tuple[WatchedAgent, ...] = ()
    groups: tuple[WatchedGroup, ...] = ()
    findings: tuple[SentinelFindingView, ...] = ()


# ---- agents


class EnvironmentView(Message):
    """A task environment of an agent, and how full it is."""

    name: str
    queues: tuple[str, ...] = ()
    slots: int = 0
    used: int = 0
    python: str = ""
    airflow: str = ""
    problem: str = ""
    starting: bool = False
    bundles: tuple[str, ...] | None = None  # Dag bundles whose work it can run; None: all of its agent


class RefusedTryView(Message):
    """Tries that came the same way and were refused for the same reason."""

    source: str  # the address, as the plane saw it
    endpoint: str = ""  # by which private endpoint; empty: the public way
    code: Code
    message: str = ""  # of the last one
    remedy: str = ""
    path: str = ""  # that the last one asked for
    version: str = ""  # of its protocol, if it said one
    tries: int = 1
    first_at: datetime
    last_at: datetime


class Connectivity(Message):
    """What the plane has seen of agents that come from an address, or by a private endpoint."""

    source: str = ""  # that was asked for; empty: all
    endpoint: str = ""
    admitted: bool | None = (
        None  # whether the lists of the Deployment let it in; None: no address and no endpoint was given
    )
    why: str = ""
    agents: tuple[str, ...] = ()  # names of connected agents that came from there
    refused: tuple[RefusedTryView, ...] = ()  # newest first
    verdict: str = ""
    remedy: str = ""


class AgentView(Message):
    """An agent as the plane sees it now."""

    id: UUID
    name: str
    site: str = sites.DEFAULT
    state: AgentState
    state_reason: str = ""  # why it is in that state, for a person
    session_id: UUID
    components: tuple[Component, ...] = ()
    queues: tuple[str, ...] = ()
    slots: int = 0
    slots_used: int = 0
    environments: tuple[EnvironmentView, ...] = ()
    trigger_capacity: int = 0
    bundles: tuple[str, ...] = ()
    policy: Policy = Policy.STRICT
    version: str = ""
    host: Host = Host()
    opened_at: datetime
    last_beat_at: datetime | None = None
    beat_age: float | None = None  # seconds since the last beat
    ended_at: datetime | None = None
    findings: tuple[Finding, ...] = ()
    token: str = ""  # name of the agent token it came with
    address: str = ""  # from where it was last heard
    endpoint: str = ""  # by which private endpoint; empty: the public way
    way_since: datetime | None = None  # since when it comes that way, from that address
    last_refused: RefusedTryView | None = None  # from there and that way; filled when one agent is asked for
    pending_commands: int = 0  # asked for, not yet carried out
    running: tuple[AttemptView, ...] = ()  # filled when one agent is asked for
    sentinel: tuple[SentinelFindingView, ...] = ()  # what sentinels find wrong with it; filled as `running`


class Reason(Message):
    """Why a person does something; kept in the audit trail and shown with the agent."""

    reason: str = Field(default="", max_length=1000)


class SetSlots(Reason):
    """How much work a task environment takes at once. Lasts until the agent restarts."""

    environment: Name
    slots: int = Field(ge=0, le=10_000)


class RotateToken(Reason):
    """Ask for a new value of an agent token. The present one stays good for `overlap_hours`, so that no agent loses a
    heartbeat while its token file is replaced; 0 ends it and its sessions at once."""

    overlap_hours: float = Field(default=24.0, ge=0, le=24 * 90)
    expires_in_days: int | None = Field(default=None, ge=1, le=3650)  # None: expires when it would have


# ---- allowed addresses


class AllowedNetwork(Message):
    """A network agents may connect from."""

    network: str = Field(min_length=1, max_length=64)  # CIDR, or one address
    description: str = Field(default="", max_length=250)


class AllowedEndpoint(Message):
    """A private endpoint agents may connect by."""

    endpoint: str = Field(
        min_length=1, max_length=100
    )  # aws:vpce-…, azure:<link identifier>, gcp:<connection id>
    name: str = Field(default="", max_length=250)


class AllowedAddresses(Message):
    """From where agents may connect to this Deployment."""

    networks: tuple[AllowedNetwork, ...] = ()  # none: from anywhere
    endpoints: tuple[AllowedEndpoint, ...] = ()  # with none of them, and no network either: by any
    private_only: bool = False  # the public way is shut; networks count for nothing
    revision: int = 0  # grows by one with every change; 0: as [tradewind] allowed_addresses says
    changed_at: datetime | None = None
    changed_by: str = ""
    your_address: str = ""  # the address of the caller, as the plane sees it
    locked_out: tuple[str, ...] = ()  # names of connected agents the list does not admit
    warnings: tuple[
        str, ...
    ] = ()  # settings of the plane that make the list weaker than it looks, with the remedy


class SetAllowedAddresses(Reason):
    """Replace the networks, and of the rest what is named. A change that would lock out an agent that is connected and admitted is refused unless forced.
    So are networks that would lock out the caller."""

    networks: tuple[AllowedNetwork, ...] = Field(max_length=1000)
    endpoints: tuple[AllowedEndpoint, ...] | None = Field(default=None, max_length=1000)  # None: as they are
    private_only: bool | None = None  # None: as it is
    force: bool = False
    revision: int | None = Field(default=None, ge=0, le=2**31)  # refused when the list has another one by now


# ---- site access


class SiteAccess(str, Enum):
    """What agents of one site may do with Dags of another."""

    READ = "read"  # runs, states and XComs
    WAIT = "wait"  # states and numbers of runs and tasks, no values
    START = "start"  # start and clear runs, and wait for them
    WRITE = "write"  # XComs and everything above
    CONSUME = "consume"  # events of assets that the other site's Dags write start Dags of this site


class NewSiteGrant(Reason):
    """Let agents of `site` do something with Dags of `other`, another site or `*`: every site and the plane."""

    site: Name
    other: Name | Literal["*"]
    access: SiteAccess


class SiteGrantView(Message):
    """One permission of a site for Dags of another site."""

    id: UUID
    site: str
    other: str
    access: SiteAccess
    created_at: datetime
    created_by: str


# ---- how an agent is started


_Typed = Annotated[str, Field(max_length=2000)]
"""What a person is typing: not checked here, but answered with what is wrong about it."""


class RecipeBundle(Message):
    """Where the Dags of an agent are."""

    kind: _Typed = "git"  # or folder, none
    name: _Typed = "dags"
    repository: _Typed = ""
    reference: _Typed = "main"
    folder: _Typed = ""  # inside the repository; for a folder its path
    connection: _Typed = ""  # of the site, with the credential of the repository


class RecipeSecrets(Message):
    """The secrets backend of an agent's site."""

    kind: _Typed = ""  # or aws-secrets-manager, azure-key-vault, vault-approle and so on
    place: _Typed = ""  # a region, a project, or the address of a vault
    role: _Typed = ""  # of Vault: as which tasks sign in


class RecipeLogs(Message):
    """The store that an agent uploads task logs to."""

    url: _Typed = ""
    connection: _Typed = ""  # of the site
    container: _Typed = ""  # of Azure Blob Storage


class AskRecipes(Message):
    """An agent that a person wants to start."""

    plane_url: _Typed = ""  # what agents shall use, where the plane has no [tradewind] agent_url
    name: _Typed
    components: tuple[_Typed, ...] = Field(default=("worker", "dag_processor", "triggerer"), max_length=10)
    queues: tuple[_Typed, ...] = Field(default=("default",), max_length=100)
    slots: int = 20
    bundle: RecipeBundle = RecipeBundle()
    site: _Typed = sites.DEFAULT
    storage: _Typed = ""  # what several agents of a site share
    secrets: RecipeSecrets = RecipeSecrets()
    logs: RecipeLogs = RecipeLogs()
    image: _Typed = ""
    packages: _Typed = ""  # folder with the distributions that `make dist` built; empty: the package index


class RecipeStep(Message):
    """One thing to do: `text` is a whole shell command."""

    explained: str
    what: str
    text: str


class Recipe(Message):
    """One way to start an agent."""

    key: str
    title: str
    steps: tuple[RecipeStep, ...]


class RecipeProblem(Message):
    """What is wrong with one field, such as `bundle.repository`."""

    field: str
    message: str


class Recipes(Message):
    """Every way to start that agent; none while there are problems."""

    recipes: tuple[Recipe, ...] = ()
    problems: tuple[RecipeProblem, ...] = ()


# ---- Dag bundles


class BundleView(Message):
    """A Dag bundle that some site has claimed."""

    name: str
    site: str = sites.DEFAULT  # which it belongs to
    agent: str = ""  # name of the agent that parses it, or did last
    token: str = ""  # name of the agent token of that agent
    spoken_for: bool = False  # whether an agent that is there speaks for it now
    claimed_at: datetime
    files: int = 0  # held by the plane
    dags: int = 0  # of those files, not stale
    stored_at: datetime | None = None  # when something of it was last stored


# ---- queues and events


class CanaryResult(str, Enum):
    """How a canary ended."""

    OK = "ok"
    FAILED = "failed"
    BUSY = "busy"  # every slot was taken by work
    ASLEEP = "asleep"  # the agents of the queue are scaled to zero, and wake on work
    UNKNOWN = "unknown"  # no agent that takes work from the queue runs canaries


class CanaryView(Message):
    """How the last canary of a queue went."""

    result: CanaryResult
    at: datetime
    hop: CanaryHop | None = None  # the part of the way that failed, of the last one that was tried
    reason: str = ""  # why, for a person
    remedy: str = ""
    rule: str = ""  # of the site's owner, that refused it
    agent: str = ""  # that had it
    seconds: dict[CanaryHop, float] = {}  # how long each part took, as far as it came
    ok_at: datetime | None = None  # when one went all the way
    failures: int = 0  # since then


class QueueView(Message):
    """A queue of a site: what waits in it and which agents serve it. Two sites may each have a queue of one name."""

    site: str | None = sites.DEFAULT  # None: work of bundles that no site has
    queue: str
    depth: int = 0  # pieces of work that wait
    oldest_wait: float = 0.0  # seconds
    running: int = 0
    slots: int = 0
    slots_used: int = 0  # of the environments that serve it; they may serve other queues too
    agents: tuple[str, ...] = ()  # names of the agents that take work from it now
    warning: str = ""  # what is wrong with it, for a person
    canary: CanaryView | None = None  # None: none has ended yet


class QueueThroughput(Message):
    """How much work of a queue ended lately, step by step, the oldest step first."""

    site: str | None = sites.DEFAULT
    queue: str
    finished: tuple[int, ...] = ()  # ended in each step, however they ended
    failed: tuple[int, ...] = ()  # of those, the ones that did not succeed


class Throughput(Message):
    """What ended between `since` and `until`, in steps of `step` seconds. Queues without any are left out."""

    since: datetime
    until: datetime
    step: float
    queues: tuple[QueueThroughput, ...] = ()


class EventView(Message):
    """One change, who made it and why."""

    id: str
    at: datetime
    action: str  # "token_created"
    actor: str
    address: str = ""  # from where, as far as it came over the network
    subject: str = ""
    reason: str = ""
    detail: dict[str, Any] = {}


# ---- who asks


class Me(Message):
    """Who is signed in, and what they may do here."""

    name: str
    # of: read, operate, administer, audit; of a platform's custom role, also each part by itself: deployment.agentTokens.create
    may: tuple[str, ...] = ()
    deployment: str = ""
    version: str = ""  # of tradewind-provider
    # the least strict data boundary this Deployment allows sites it does not name
    policy: Policy = Policy.OPEN
    tokens_limit: int = 0  # the most agent tokens that may exist
    address: str = ""  # where the request came from, as the plane sees it
