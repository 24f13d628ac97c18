"""Opening, renewing and ending an agent's session."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, Field

from tradewind_protocol import sites
from tradewind_protocol.attempts import AttemptRef
from tradewind_protocol.messages import Message
from tradewind_protocol.states import Component

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._@:/-]*$"

Name = Annotated[str, Field(min_length=1, max_length=250, pattern=NAME_PATTERN)]
"""A name a person gave: agent, queue, environment, site."""

BundleName = Annotated[str, Field(min_length=1, max_length=250, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""The name of a Dag bundle, as Airflow takes it: any text of one line that fits its column."""


LONGEST_FACT: Final = 2000

Fact = Annotated[str, AfterValidator(lambda text: text[:LONGEST_FACT])]
"""Text that an agent says of itself, for a person to read. The rest of a longer one is dropped, and no session fails
for it."""


class Policy(str, Enum):
    """The data boundary a site asks for (architecture.md §6)."""

    STRICT = "strict"
    OPEN = "open"


class Storage(Message):
    """Where a task environment keeps XCom values at its site. Empty: nowhere, they go to the plane; or the site has an
    XCom backend of its own, of which nothing is known here."""

    base: str = Field(default="", max_length=2048)  # URL
    mark: str = Field(default="", max_length=64)  # tells a folder from all others, whatever their paths


class TaskEnvironment(Message):
    """One interpreter with Airflow and the user's packages on an agent, and the queues it serves."""

    name: Name
    queues: tuple[Name, ...] = Field(max_length=200)
    slots: int = Field(ge=0, le=10_000)
    python: Fact = ""  # e.g. "3.12.1"
    airflow: Fact = ""  # e.g. "3.3.2"
    problem: Fact = ""  # why it cannot run work; empty when it can
    starting: bool = False  # its processes are on their way, and it cannot run work yet
    bundles: tuple[BundleName, ...] | None = Field(default=None, max_length=1000)
    """Dag bundles whose work it can run. None: all that the session was opened with."""
    xcom: Storage = Storage()
    key: str = Field(default="", max_length=64)
    """Which key its agent seals arguments with, as a digest of it: equal for all agents of a site. Empty: it cannot say."""
    canary: bool = False  # it runs canaries (`attempts.WorkKind.CANARY`)


class Host(Message):
    """Facts about the machine, for people."""

    hostname: Fact = ""
    platform: Fact = ""
    cpus: int = 0
    memory_bytes: int = 0
    pid: int = 0


class OpenSession(Message):
    """Ask for a session; the agent token is in the Authorization header.

    A second session with the same `agent_id` fences the first one at once: a restarted agent never waits for its
    former self to be given up. The same `instance` asking again (a lost answer) gets the same session.
    """

    agent_id: UUID  # the agent's identity, kept in its state directory
    instance: UUID  # new with every process; which life of it
    agent_key: str = Field(default="", max_length=200, repr=False)
    """A secret made on the agent and kept beside its id. The first opening binds it to the id; from then on nobody is this
    agent without it, whatever agent token they hold. Empty: an agent of a version that has none."""
    name: Name
    group: str = Field(default="", max_length=250, pattern=r"^([A-Za-z0-9][A-Za-z0-9._@:/-]*)?$")
    """Agents of one group are scaled together, as those of one worker of a Helm release. Empty: of none."""
    components: tuple[Component, ...] = Field(min_length=1)
    environments: tuple[TaskEnvironment, ...] = Field(default=(), max_length=100)
    trigger_capacity: int = Field(default=0, ge=0, le=100_000)
    bundles: tuple[BundleName, ...] = Field(default=(), max_length=1000)
    unreported: tuple[AttemptRef, ...] = Field(default=(), max_length=20_000)
    # ended in an earlier life of this agent, the outcome on its disk and on its way: not lost with the old session
    policy: Policy = Policy.STRICT
    version: str = ""  # of tradewind-agent
    host: Host = Host()


class Cadence(Message):
    """Every interval and limit an agent shall use. All in seconds. The plane decides; an agent has no defaults."""

    poll: float = 25.0  # the plane answers a poll after this long without news; the poll is the heartbeat
    offer: float = 10.0  # an offer not confirmed in this time goes elsewhere
    lost_after: float = 75.0  # three missed beats
    grace: float = (
        3600.0  # how long the gateway answers task heartbeats itself while the plane is unreachable
    )
    retry_first: float = 0.5  # first wait after a failed request; doubled, with jitter
    retry_most: float = 15.0  # the longest such wait
    largest_body: int = 32 * 1024 * 1024  # bytes of one request


class SessionOpened(Message):
    """A session."""

    session_id: UUID
    session_token: str = Field(repr=False)
    deployment: str
    cadence: Cadence
    plane_version: str = ""
    airflow_version: str = ""  # a task environment has this minor or the one before it
    base_url: str = ""  # of the UI, for links in logs and mails; empty: the address that agents use
    site: str = sites.DEFAULT  # of the agent token: whose bundles and whose work this agent may have
    policy: Policy = Policy.STRICT  # the stricter of what the site asked for and what the Deployment allows
