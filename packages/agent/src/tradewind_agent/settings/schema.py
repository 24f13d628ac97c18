"""What a site can set.

`docs/reference/agent-settings.md` is generated from these classes.
"""

from __future__ import annotations

import ipaddress
import json
import os
import platform
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
)
from pydantic import model_validator as validates
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    SettingsConfigDict,
)

from tradewind_agent.rules.schema import OwnerRules
from tradewind_agent.settings.passed_variables import PASSED, is_planes_secret
from tradewind_protocol.boundary import KeptField
from tradewind_protocol.sessions import BundleName, Name, Policy
from tradewind_protocol.states import Component

PREFIX = "TRADEWIND_AGENT_"
"""Of the environment variable of every setting; the rest is its name in capitals."""


class EnvironmentSettings(BaseModel):
    """One task environment: an interpreter that has Airflow, tradewind-runtime and what the Dags need."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name = Field(description="Its name in the UI, in findings and in metrics.")
    interpreter: Path = Field(
        default_factory=lambda: Path(sys.executable),
        description="Its Python. Default: the one the agent itself runs with.",
    )
    queues: tuple[Name, ...] = Field(default=("default",), description="Queues whose tasks run here.")
    slots: int = Field(default=20, ge=0, le=10_000, description="Attempts at once.")
    env: dict[str, str] = Field(
        default_factory=dict, repr=False, description="Environment variables of its processes and tasks."
    )
    run_as: str = Field(
        default="",
        description="User that its tasks, Dag parsing and triggers run as, so that they cannot read the agent's token, state "
        "and memory. The agent has to be root or have capabilities (docs/how-to/separate-users.md). Default: the agent's "
        "own user.",
    )
    preload: tuple[str, ...] = Field(
        default=(), description="Third-party modules to import once, before tasks are forked."
    )
    learn: bool = Field(
        default=True, description="Learn which libraries Dag files import, and import those once as well."
    )

    @field_validator("env")
    @classmethod
    def _no_secrets_of_the_plane(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if is_planes_secret(name):
                raise ValueError(
                    f"{name} is a secret of the orchestration plane and has no business at a site; remove it"
                )
        return value


class SealSettings(BaseModel):
    """What of a site's values the plane keeps in sealed form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys_file: Path | None = Field(
        default=None,
        description="File with the key ring, mode 0600, the same for every agent of the site; read again when it changes. "
        "Default: none, and values that may not leave are refused.",
    )
    keys_command: tuple[str, ...] = Field(
        default=(),
        repr=False,
        description="In place of a file: a program and its arguments, whose output is the key ring, as it is or in base64. No shell reads it. "
        "It has a minute, and gets the agent's environment variables without `TRADEWIND_…`.",
    )
    keys_variable: str = Field(
        default="",
        max_length=250,
        description="In place of a file: a variable in the secrets backend of the first task environment, whose value is the key ring. "
        "Tasks of that environment can read it.",
    )
    keys_every: float = Field(
        default=300.0,
        ge=1,
        description="Seconds after which `keys_command` or `keys_variable` is read again. A key that is missed is looked for earlier.",
    )
    values_below: int = Field(
        default=0,
        ge=0,
        description="XComs and state values of fewer bytes are sealed and kept on the plane, and not in the site's storage. 0: "
        "all of them go to the storage, where the task environment has one.",
    )
    required: bool = Field(
        default=False,
        description="Whether XComs, state, extras of asset events and events of triggers are taken from the plane in sealed form only. "
        "References are sealed, too. Values of before, and those that users or other sites write, then fail the task that reads them.",
    )
    run_parameters: tuple[str, ...] = Field(
        default=("*",),
        description="Dags, with `*`, `?` and `!`, whose parameters are sealed when a task of this site starts a run of them.",
    )
    asset_events: bool = Field(default=True, description="Whether the extras of asset events are sealed.")
    trigger_events: bool = Field(
        default=True, description="Whether the events of triggers are sealed. Those of callbacks never are."
    )

    @field_validator("keys_file")
    @classmethod
    def _whole_path(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @validates(mode="after")
    def _fits_together(self) -> SealSettings:
        if sum(map(bool, (self.keys_file, self.keys_command, self.keys_variable))) > 1:
            raise ValueError("keys_file, keys_command and keys_variable: keep the key ring in one place")
        if self.required and not self.has_ring:
            raise ValueError("required without a key ring (keys_file): this site could read nothing")
        return self

    @property
    def has_ring(self) -> bool:
        """Whether the site has a key ring."""
        return bool(self.keys_file or self.keys_command or self.keys_variable)


class Settings(BaseSettings):
    """The agent's settings. Frozen; secrets never show in its repr."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, env_ignore_empty=True)

    plane_url: str = Field(
        validation_alias=AliasChoices("plane_url", f"{PREFIX}PLANE_URL", "TRADEWIND_PLANE_URL"),
        description="Address of the orchestration plane's API server, with its path prefix if it has one.",
    )
    token: SecretStr | None = Field(
        default=None, description="The agent token. Only from the environment; prefer `token_file`."
    )
    token_file: Path | None = Field(
        default=None, description="File that holds the agent token; read again when it changes."
    )
    name: Name = Field(
        default_factory=lambda: platform.node() or "agent",
        description="The agent's name. Default: the host name.",
    )
    deployment: str = Field(
        default="",
        max_length=250,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="Name of the Deployment, the same for every agent of the site: what the site seals opens in this Deployment only, and "
        "signatures of runs count for it only, whatever name the plane gives. For signed runs it has to be the name that the plane has. "
        "Default: for what is sealed the host and path of `plane_url`, for signatures the name that the plane gives.",
    )
    group: str = Field(
        default="",
        max_length=250,
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._@:/-]*)?$",
        description="Agents of one group are scaled together: `GET …/backlog?group=` counts what they run. The Helm chart "
        "sets `<release>/<worker>`.",
    )
    state_dir: Path = Field(
        default_factory=lambda: default_state_dir(),
        description="Where the agent keeps its identity, outbox, ledger and logs. One agent per directory.",
    )
    storage: str = Field(
        default="",
        description="Where XCom values and task state go under `strict`: a folder, or the URL of a folder or bucket "
        "(`s3://connection@bucket/prefix`), unless the task environment's Airflow configuration names one. All agents of a "
        "site need the same. Default: `state_dir`, which serves one agent.",
    )
    keep_values_days: float = Field(
        default=0.0,
        ge=0,
        description="Days after the end of a run for which its XCom values and task state are kept. 0: as long as the plane "
        "has the run.",
    )
    keep_logs_days: float = Field(default=0.0, ge=0, description="The same for the logs of its tasks.")
    upload_logs_every: float = Field(
        default=0.0,
        ge=0,
        description="Seconds between two uploads of a running task's log to the storage that the task environment's "
        "`[logging]` names (S3, Azure Blob, Google Cloud Storage). 0: it is uploaded when the task ends.",
    )
    secrets_cache_seconds: float = Field(
        default=0.0,
        ge=0,
        le=86400,
        description="Seconds for which tasks get a connection or variable that was read from the secrets backend of a cloud or of "
        "Vault before. A changed secret takes as long to arrive. 0: it is asked for each task.",
    )
    keep_bytes: int = Field(
        default=0,
        ge=0,
        description="Most bytes of values and logs together; what is above goes, of runs that ended longest ago first. "
        "0: no limit.",
    )
    clean: bool = Field(
        default=True,
        description="Whether the agent removes by itself, once an hour, what these limits say and what is of no run or "
        "rewritten. Without: only `tradewind-agent storage --clean` does.",
    )
    components: Annotated[tuple[Component, ...], NoDecode] = Field(
        default=tuple(Component), min_length=1, description="What to run: worker, dag_processor, triggerer."
    )
    queues: Annotated[tuple[Name, ...], NoDecode] = Field(
        default=("default",), description="Queues of the one environment, when `environments` is not given."
    )
    slots: int = Field(
        default=20,
        ge=0,
        le=10_000,
        description="Slots of the one environment, when `environments` is not given.",
    )
    interpreter: Path = Field(
        default_factory=lambda: Path(sys.executable),
        description="Python of the one environment, when `environments` is not given.",
    )
    user: str = Field(
        default="",
        description="User that the agent becomes when root starts it; otherwise it is not looked at. Where no `run_as` is set "
        "and there is a user `<user>-tasks`, tasks run as that one.",
    )
    run_as: str = Field(
        default="",
        description="User that the one environment runs as, when `environments` is not given. Default: the agent's own.",
    )
    environments: tuple[EnvironmentSettings, ...] = Field(
        default=(), max_length=100, description="Task environments; see below. Default: one, named `default`."
    )
    dag_processor_environment: str = Field(
        default="", description="Environment that runs the dag processor. Default: the first."
    )
    triggerer_environment: str = Field(
        default="", description="Environment that runs the triggerer. Default: the first."
    )
    trigger_queues: Annotated[tuple[Name, ...], NoDecode] = Field(
        default=(),
        description="Queues whose triggers run here, and no others. Default: those of the tasks that run here, and "
        "triggers of no queue. A trigger has its task's queue where the task environment sets Airflow's "
        "`[triggerer] queues_enabled`.",
    )
    trigger_capacity: int = Field(default=1000, ge=1, le=100_000, description="Triggers at once.")
    bundles: tuple[dict[str, Any], ...] = Field(
        default=(),
        repr=False,
        description="Dag bundles, as in Airflow's `[dag_processor] dag_bundle_config_list`. Default: those that the "
        "environment's own Airflow configuration names. An agent without any parses nothing and gets no work of a Dag.",
    )
    policy: Policy = Field(default=Policy.STRICT, description="The data boundary: strict or open.")
    xcom: Policy | None = Field(default=None, description="The boundary for XCom values. Default: `policy`.")
    connections: Policy | None = Field(
        default=None, description="The boundary for reading the plane's connections. Default: `policy`."
    )
    variables: Policy | None = Field(
        default=None, description="The boundary for reading the plane's variables. Default: `policy`."
    )
    templates: Policy | None = Field(
        default=None, description="The boundary for rendered template fields. Default: `policy`."
    )
    store: Policy | None = Field(
        default=None, description="The boundary for the values of task and asset state. Default: `policy`."
    )
    links: Policy | None = Field(default=None, description="The boundary for extra links. Default: `policy`.")
    source: Policy | None = Field(
        default=None, description="The boundary for the Dags' source text. Default: `policy`."
    )
    dags: Policy | None = Field(
        default=None,
        description="The boundary for what authors write into operators, Dags and params. Default: `policy`.",
    )
    triggers: Policy | None = Field(
        default=None,
        description="The boundary for what a task passes on when it defers. Default: `policy`.",
    )
    dag_fields: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Fields of Dags that leave although `dags` is strict, each as an operator's class and a field, with "
        "`*` and `?`: `BashOperator:bash_command`, `acme.operators.*:sql`, `*:doc_md`; also `dag:description`, "
        "`task_group:tooltip`, `asset:extra`, `timetable:description` and `param:<name>`.",
    )
    rules: OwnerRules = Field(
        default_factory=OwnerRules,
        description="What the plane may have done here at all; see below. Default: everything that it may ask for.",
    )
    rules_file: Path | None = Field(
        default=None,
        description="File (TOML) with `rules`, read again when it changes: one that only root writes binds the agent's user too. "
        "A change that cannot be read leaves the old rules in force and is a finding.",
    )
    site_key_file: Path | None = Field(
        default=None,
        description="File with the site's key, 32 characters or more, the same for every agent of the site: what stays at "
        "the site is known to the plane by digests under it. Default: `site.key` in `storage` where that is a folder, else in "
        "`state_dir`, made at the first start.",
    )
    seal: SealSettings = Field(
        default_factory=SealSettings,
        description="The owner's key ring for values that lie on the plane; see below.",
    )
    references: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="More URL schemes that make an XCom value a reference, such as minio."
    )
    pass_environment: Annotated[tuple[str, ...], NoDecode] = Field(
        default=PASSED,
        description="Names (with * and ?) of the agent's own environment variables that processes of task environments get, too.",
    )
    ca_file: Path | None = Field(default=None, description="Authorities to trust instead of the system's.")
    client_cert: Path | None = Field(default=None, description="Client certificate (PEM).")
    client_key: Path | None = Field(default=None, description="Its key (PEM), when not in `client_cert`.")
    proxy: SecretStr | None = Field(
        default=None,
        description="HTTP proxy, with credentials if it asks. Default: HTTPS_PROXY and NO_PROXY.",
    )
    accelerators: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("all",),
        description="What processes of the task environments use to save CPU and memory: `all`, `none`, or names of "
        "`docs/reference/accelerators.md`. `tradewind-agent status` shows which are on, and why others are off.",
    )
    live_logs: bool = Field(
        default=True,
        description="Whether a task's log is sent to a user who opens it in Airflow, while the user reads.",
    )
    grace: float = Field(
        default=600.0, ge=0, description="Seconds that running tasks have to end after a first stop signal."
    )
    metrics_host: str = Field(default="127.0.0.1", description="Address of /healthz, /readyz and /metrics.")
    metrics_port: int = Field(default=39091, ge=0, le=65535, description="Port of the same. 0: off.")
    traces_endpoint: str = Field(
        default="",
        description="Address of an OpenTelemetry collector (OTLP over HTTP, such as http://localhost:4318) that gets "
        "the traces of this agent and its tasks. Default: none, and nothing is traced.",
    )
    traces_headers: SecretStr | None = Field(
        default=None,
        description="Headers for the collector, `name=value` with commas. May hold its credential.",
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, else json."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is logged."
    )

    @field_validator(
        *("components", "queues", "trigger_queues", "pass_environment", "references", "dag_fields"),
        "accelerators",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        """Accept "a,b" as flags and variables have it, and JSON."""
        if isinstance(value, str):
            if value.lstrip().startswith("["):
                return json.loads(value)
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("dag_fields")
    @classmethod
    def _name_fields(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            KeptField.parse(each)
        return value

    @field_validator("bundles")
    @classmethod
    def _have_names(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        names = TypeAdapter(BundleName)
        seen: set[str] = set()
        for number, each in enumerate(value, start=1):
            name = each.get("name")
            try:
                names.validate_python(name, strict=True)
            except ValidationError:
                raise ValueError(
                    f"the name of bundle {number} is {name!r}; it has to be a text of 1 to 250 characters on one line"
                ) from None
            if name in seen:
                raise ValueError(f"two bundles are named {name!r}")
            seen.add(str(name))
            if not isinstance(each.get("classpath"), str):
                raise ValueError(f"bundle {name!r} has no classpath, the class that fetches it")
        return value

    @field_validator("plane_url")
    @classmethod
    def _an_http_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                "must be an address such as https://airflow.example.com or https://host/deployment"
            )
        if parts.username or parts.password:
            raise ValueError("must not hold credentials; the agent token is the credential")
        _ = parts.port  # raises for one that is no number
        return value.rstrip("/")

    @field_validator("storage")
    @classmethod
    def _a_folder_or_a_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.password:
            raise ValueError("must not hold a password; name a connection: s3://connection@bucket/prefix")
        if value and not parts.scheme and not value.startswith("/"):
            raise ValueError("must be an absolute path, or a URL such as s3://connection@bucket/prefix")
        if "?" in value or "#" in value:
            raise ValueError("must not hold a query or a fragment")
        return value.rstrip("/")

    @field_validator("traces_endpoint")
    @classmethod
    def _a_collector(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("must be an address such as http://localhost:4318")
        if parts.username or parts.password:
            raise ValueError("must not hold credentials; they go into traces_headers")
        return value.rstrip("/")

    @field_validator("traces_headers")
    @classmethod
    def _pairs(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not all("=" in each for each in value.get_secret_value().split(",")):
            raise ValueError("must be name=value, and commas between several")
        return value

    @field_validator(
        *("token_file", "state_dir", "rules_file", "site_key_file", "ca_file", "client_cert", "client_key")
    )
    @classmethod
    def _whole_path(cls, value: Path | None) -> Path | None:
        """`~` is the user's home. A relative path is one below the directory the agent is started in."""
        return value.expanduser().absolute() if value is not None else None

    @validates(mode="after")
    def _fits_together(self) -> Settings:
        if (self.token is None) == (self.token_file is None):
            raise ValueError(
                f"exactly one of token_file and {PREFIX}TOKEN has to be set: it is what lets this agent in"
            )
        names = [each.name for each in self.task_environments]
        if len(set(names)) != len(names):
            raise ValueError("two environments have the same name")
        for setting in ("dag_processor_environment", "triggerer_environment"):
            chosen = getattr(self, setting)
            if chosen and chosen not in names:
                raise ValueError(f"{setting} = {chosen!r} is none of the environments: {', '.join(names)}")
        if self.rules_file is not None and self.rules != OwnerRules():
            raise ValueError("rules and rules_file are both set; keep the rules in one place")
        if self.client_key and not self.client_cert:
            raise ValueError("client_key without client_cert")
        return self

    @property
    def sealed_for(self) -> str:
        """The Deployment that what is sealed is bound to. The plane has no say in it."""
        if self.deployment:
            return self.deployment
        parts = urlsplit(self.plane_url)
        port = f":{parts.port}" if parts.port not in (None, _PORTS[parts.scheme]) else ""
        return f"{parts.hostname}{port}{parts.path}"

    @property
    def task_environments(self) -> tuple[EnvironmentSettings, ...]:
        """The environments, or the one that queues, slots and interpreter describe."""
        return self.environments or (
            EnvironmentSettings(
                name="default",
                interpreter=self.interpreter,
                queues=self.queues,
                slots=self.slots,
                run_as=self.run_as,
            ),
        )

    def environment_of(self, component: Component) -> EnvironmentSettings:
        """The environment that runs the dag processor or the triggerer."""
        chosen = {
            Component.DAG_PROCESSOR: self.dag_processor_environment,
            Component.TRIGGERER: self.triggerer_environment,
        }.get(component, "")
        every = self.task_environments
        return next((each for each in every if each.name == chosen), every[0])

    def warnings(self) -> list[str]:
        """Settings that work and are unwise, in sentences."""
        found = []
        parts = urlsplit(self.plane_url)
        if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
            found.append(
                f"plane_url is plain http to {parts.hostname}: the agent token and all that tasks report can be read "
                "on the way; use https"
            )
        if (
            self.token_file is not None
            and self.token_file.exists()
            and self.token_file.stat().st_mode & 0o004
        ):
            found.append(
                f"token_file {self.token_file} can be read by every user of this machine; chmod 600 it"
            )
        return found


_PORTS: Final = {"http": 80, "https": 443}


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def default_state_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/tradewind-agent")
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "tradewind-agent"
