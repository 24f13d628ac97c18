"""What the platform tells a Deployment about the people and API tokens that have a role in it, and what it is told back.

Only a Deployment's API servers and the platform speak this. Each request carries the Deployment's credential.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from tradewind_protocol.messages import Message

CREDENTIAL_PREFIX: Final = "tw_deployment_"
API_TOKEN_PREFIX: Final = "tw_api_"

AUTH_MANAGER: Final = "tradewind_provider.auth_manager.manager.TradewindAuthManager"
"""`[core] auth_manager` of a Deployment."""
TOKEN_SECONDS: Final = 3600
"""`[api_auth] jwt_expiration_time` of a Deployment."""

INTERNAL_PREFIX: Final = "/internal/v1/deployments/{deployment}"
ACCESS_PATH: Final = INTERNAL_PREFIX + "/access"
"""GET: the access document. `since=REVISION` waits for another revision, `hold` seconds at the most; then the answer is 204."""
USES_PATH: Final = INTERNAL_PREFIX + "/token-uses"
WORKLOAD_PATH: Final = INTERNAL_PREFIX + "/workload"
"""PUT: what there is to do at the moment, whenever it has changed."""
END_SESSION_PATH: Final = INTERNAL_PREFIX + "/sessions/end"
HOLD_SECONDS: Final = 25.0
"""So long the platform waits for a revision when the request does not say `hold`."""
LONGEST_HOLD_SECONDS: Final = 50.0
"""It waits no longer, whatever the request says: proxies cut connections that are idle for a minute."""

AUTHORIZE_PATH: Final = "/oauth/authorize"
TOKEN_PATH: Final = "/oauth/token"
CALLBACK_PATH: Final = "/auth/callback"
"""Below the address of a Deployment's Airflow for people: the only place that the platform sends a code to."""

TERMINAL_CLIENT: Final = "tradewind-cli"
"""The OAuth client that the command line is: a public one, for a program on a person's own machine (RFC 8252)."""
TERMINAL_CALLBACK: Final = "/callback"
"""Where a terminal waits for its code, on the loopback address and any port."""


_VIEWER: Final = frozenset({"deployment.agents.get"})
_OPERATOR: Final = _VIEWER | {
    "deployment.agents.update",
    "deployment.agentTokens.get",
    "deployment.allowList.get",
    "deployment.sites.get",
}
PERMISSIONS_OF_AIRFLOW_ROLE: Final[dict[str, frozenset[str]]] = {
    "VIEWER": _VIEWER,
    "USER": _VIEWER,
    "OP": _OPERATOR,
    "ADMIN": _OPERATOR
    | {
        "deployment.agentTokens.create",
        "deployment.agentTokens.update",
        "deployment.agentTokens.delete",
        "deployment.allowList.update",
        "deployment.sites.update",
    },
}
"""What a role in Airflow may do on the operator API, where nothing else is said of its holder. The audit trail is told apart."""
LIMITED: Final = "LIMITED"
"""The role of one who has less than a viewer. An API server that knows roles in Airflow only gives such a one nothing."""


class AccessUser(Message):
    """A person who may do something in the Deployment's Airflow.

    `role` is for API servers that read no `permissions`: never more than what the person may. The others go by `permissions` and
    `airflow_role` where there are permissions.
    """

    id: UUID
    name: str
    role: str  # VIEWER, USER, OP, ADMIN, LIMITED
    audit: bool = False  # may read the audit trail
    permissions: tuple[str, ...] | None = None  # on the operator API; None: those of `role`
    airflow_role: str | None = None  # in Airflow, when there are `permissions`; None: no role


class AccessToken(Message):
    """A value of an API token that may do something in the Deployment's Airflow. The value itself is not in it."""

    id: UUID  # of the token
    value: UUID  # of this value: a token that was rotated has several
    hash: str  # SHA-256 of the value, in hexadecimal
    name: str
    role: str  # as a person's
    audit: bool = False
    expires_at: datetime | None = None
    permissions: tuple[str, ...] | None = None
    airflow_role: str | None = None


class AccessDocument(Message):
    """All that decides who may do what in a Deployment's Airflow."""

    deployment: UUID
    revision: int
    users: tuple[AccessUser, ...] = ()
    tokens: tuple[AccessToken, ...] = ()
    ended_sessions: tuple[UUID, ...] = ()
    """Sessions of people that have ended, until the moment they would have ended anyway."""
    contacts: tuple[str, ...] = ()
    """Who can give a role: shown to a person who has none."""


class SignedIn(Message):
    """The answer to a code: the person who signed in to the platform."""

    sub: UUID
    name: str
    sid: UUID
    """The person's session on the platform."""
    session_ends_at: datetime
    access_revision: int
    """The access document of this revision, or of a later one, decides about the person."""


class TokenUse(Message):
    """When an API token was last used at the Deployment."""

    token: UUID
    at: datetime


class TokenUses(Message):
    uses: tuple[TokenUse, ...]


class EndSession(Message):
    """A person has signed out in the Deployment's Airflow."""

    session: UUID


class ExpiringToken(Message):
    """An agent token that agents use and that expires soon. Its value is not in it."""

    name: str = Field(max_length=250)
    issued_at: AwareDatetime  # of its present value
    expires_at: AwareDatetime


class Workload(Message):
    """How many agents a Deployment has, and how much work, for the list of Deployments."""

    agents: int = Field(ge=0)  # that are connected, and those that were lost within the hour
    healthy_agents: int = Field(ge=0)
    running: int = Field(ge=0)  # tasks that an agent has
    queued: int = Field(ge=0)  # tasks that wait for an agent
    access_age: float | None = (
        None  # seconds since this API server heard who has which role; None: it never did
    )
    knows_permissions: bool = (
        False  # it goes by the permissions of an access document, and not by the role alone
    )
    expiring_tokens: tuple[ExpiringToken, ...] | None = Field(default=None, max_length=20)
    """Agent tokens in use that expire within 30 days, or did within the day, the first ones first. None: it does not tell them."""
    database_bytes: int | None = Field(default=None, ge=0, lt=2**63)  # of the metadata database


class TerminalToken(Message):
    """The answer to a terminal that has redeemed its code (RFC 6749, 5.1)."""

    access_token: str = Field(repr=False)
    token_type: str = "Bearer"
    expires_in: int  # seconds
    token_id: UUID  # by which the terminal deletes it
