"""Messages between an agent and the processes it starts in its task environments, over one inherited socket.

One JSON object a line, both ways. The socket's number is in the environment as `TRADEWIND_CONTROL_FD`; nothing
secret is ever in the environment or on the command line. A process whose socket ends stops its work and exits: an agent
that was killed leaves no process behind.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from tradewind_protocol.attempts import Outcome, WorkKind
from tradewind_protocol.messages import Message
from tradewind_protocol.polling import Finding
from tradewind_protocol.sessions import Policy, Storage
from tradewind_protocol.states import Component

CONTROL_FD: Final = "TRADEWIND_CONTROL_FD"

TRACES_PATH: Final = "/v1/traces"
"""Where on the agent's gateway tasks and triggers leave their spans (OTLP over HTTP, protobuf), when `options["traces"]` is true."""


# ---- agent to process


class Configure(Message):
    """First line to every process."""

    type: Literal["configure"] = "configure"
    component: Component
    agent_name: str
    gateway: str  # path of the agent's unix socket
    secret: str = Field(repr=False)  # its bearer for the gateway; empty: it needs none (a worker's)
    policy: Policy = Policy.STRICT
    xcom: Policy | None = None  # of XCom values; None: as `policy`
    store: Policy | None = None  # of the values of task and asset state; None: as `policy`
    slots: int = 0  # worker: attempts at once; triggerer: triggers at once
    log_directory: str = ""
    content_key: str = Field(default="", repr=False)
    """dag processor: what it hashes a file's result under, so that no text can be guessed from its hash"""
    key_print: str = ""  # dag processor: which site's key this agent has, for the plane to compare
    options: dict[str, Any] = {}  # component's own: bundles, preload, intervals


class TaskRule(Message):
    """A rule of the site's owner about a task that only its own process can judge, once the Dag file has been read."""

    rule: str  # its name: "operators", "finance.pools"
    about: Literal["operators", "pools"]
    patterns: tuple[str, ...]


class RunAttempt(Message):
    """Granted work for a worker process."""

    type: Literal["run_attempt"] = "run_attempt"
    attempt_id: UUID
    epoch: int
    kind: WorkKind
    secret: str = Field(repr=False)  # this attempt's own bearer for the gateway
    workload: dict[str, Any] = Field(repr=False)
    rules: tuple[TaskRule, ...] = ()


class StopAttempt(Message):
    """Stop one attempt: SIGTERM, SIGKILL after `grace` seconds. Idempotent; unknown attempts are ignored."""

    type: Literal["stop_attempt"] = "stop_attempt"
    attempt_id: UUID
    reason: str = ""
    grace: float = 5.0


class StopHost(Message):
    """Stop after what runs has ended (`now=False`), or stop what runs too (`now=True`)."""

    type: Literal["stop_host"] = "stop_host"
    now: bool = False


ToHost = Annotated[Configure | RunAttempt | StopAttempt | StopHost, Field(discriminator="type")]


# ---- process to agent


class LogStorage(Message):
    """Where a task environment uploads the logs of its tasks."""

    url: str = ""  # or the name of the owner's class that knows it; empty: nowhere
    retried: bool = False  # a log whose upload fails is kept, and uploaded later


class Hello(Message):
    """First line from every process, sent once it is ready to work."""

    type: Literal["hello"] = "hello"
    python: str
    airflow: str
    runtime: str
    pid: int
    bundles: tuple[str, ...] = ()
    xcom: Storage = Storage()  # of a worker
    logs: LogStorage = LogStorage()  # of a worker
    accelerators: dict[str, str] = {}  # by name, why each is off; empty for one that is on
    canary: bool = False  # of a worker: it runs canaries


class Problem(Message):
    """The process cannot work and says why; it exits after this."""

    type: Literal["problem"] = "problem"
    message: str
    remedy: str = ""


class AttemptStarted(Message):
    """The attempt's own process exists."""

    type: Literal["attempt_started"] = "attempt_started"
    attempt_id: UUID
    pid: int


class AttemptEnded(Message):
    """The attempt's process group is gone; its slot is free."""

    type: Literal["attempt_ended"] = "attempt_ended"
    attempt_id: UUID
    outcome: Outcome


class HostStatus(Message):
    """One line about the state of the process, for the agent's status page: sent when it changes, at most once a second."""

    type: Literal["host_status"] = "host_status"
    line: str
    numbers: dict[str, float] = {}
    findings: tuple[
        Finding, ...
    ] = ()  # what is wrong although the process works, such as a bundle the plane refuses


FromHost = Annotated[
    Hello | Problem | AttemptStarted | AttemptEnded | HostStatus, Field(discriminator="type")
]

TO_HOST: Final[TypeAdapter[Any]] = TypeAdapter(ToHost)
FROM_HOST: Final[TypeAdapter[Any]] = TypeAdapter(FromHost)


def line(message: Message) -> bytes:
    """One message as the line that goes on the socket."""
    return message.model_dump_json().encode() + b"\n"
