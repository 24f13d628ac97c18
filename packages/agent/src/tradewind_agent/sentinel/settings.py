"""What the owner of a site sets for a sentinel: variables TRADEWIND_SENTINEL_…, or flags."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from tradewind_agent.errors import SettingsWrong
from tradewind_protocol.sessions import Name, Policy

PREFIX = "TRADEWIND_SENTINEL_"


class Workload(BaseModel):
    """A Deployment or StatefulSet of agents, so that its pods are told apart and its absence is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Its name.")
    group: str = Field(default="", description="The setting `group` of its agents: `<release>/<worker>`.")
    queues: tuple[Name, ...] = Field(default=(), description="Queues that its agents serve.")
    least: int = Field(default=1, ge=0, description="Fewest agents; 0: it may be at zero and wakes on work.")
    most: int | None = Field(default=None, ge=0, description="Most agents.")


class SentinelSettings(BaseSettings):
    """The sentinel's settings. Frozen; secrets never show in its repr."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, env_ignore_empty=True)

    plane_url: str = Field(
        validation_alias=AliasChoices("plane_url", f"{PREFIX}PLANE_URL", "TRADEWIND_PLANE_URL"),
        description="Address of the orchestration plane's API server, with its path prefix if it has one.",
    )
    token: SecretStr | None = Field(default=None, description="The sentinel's token; prefer `token_file`.")
    token_file: Path | None = Field(
        default=None, description="File that holds a token of kind sentinel; read again when it changes."
    )
    name: Name = Field(
        default_factory=lambda: platform.node() or "sentinel",
        description="The sentinel's name. Default: the host name.",
    )
    platform: Literal["auto", "kubernetes", "machine"] = Field(
        default="auto",
        description="What it watches: pods of a namespace, or systemd units and agents of this machine.",
    )
    namespace: str = Field(default="", description="Kubernetes: the namespace. Default: the pod's own.")
    selector: str = Field(
        default="app.kubernetes.io/name=tradewind-agent",
        description="Kubernetes: label selector of the agents' pods. No other pod is looked at.",
    )
    workloads: tuple[Workload, ...] = Field(
        default=(),
        description="Kubernetes: what makes the pods, as a JSON list of {name, group, queues, least, most}.",
    )
    kubernetes_server: str = Field(default="", description="Kubernetes: the API server. Default: the pod's.")
    kubernetes_token_file: Path | None = Field(default=None, description="Kubernetes: the account's token.")
    kubernetes_ca_file: Path | None = Field(
        default=None, description="Kubernetes: the API server's authority."
    )
    pod_deletion_cost: bool = Field(
        default=False,
        description="Kubernetes: write how much each agent runs to its pod, so that idle pods go first when a worker is "
        "scaled in. Needs the right to patch pods.",
    )
    agent_port: int = Field(
        default=39091, ge=0, le=65535, description="Port of the agents' /status. 0: not asked."
    )
    units: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("tradewind-agent*.service",),
        description="Machine: patterns of systemd units, separated by commas.",
    )
    state_dirs: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="Machine: state directories of agents, separated by commas."
    )
    policy: Policy = Field(
        default=Policy.STRICT,
        description="The data boundary. Under strict, node names, addresses and image references stay here.",
    )
    probe_every: float = Field(
        default=300.0,
        ge=10,
        description="Seconds between two examinations of the way to the plane, and of what a worker reaches.",
    )
    host: str = Field(
        default="127.0.0.1", description="Address of /healthz, /readyz, /metrics, /status, /backlog."
    )
    port: int = Field(default=39092, ge=0, le=65535, description="Port of the same. 0: off.")
    ca_file: Path | None = Field(default=None, description="Authorities to trust for the plane.")
    client_cert: Path | None = Field(default=None, description="Client certificate (PEM).")
    client_key: Path | None = Field(default=None, description="Its key (PEM).")
    proxy: SecretStr | None = Field(default=None, description="HTTP proxy on the way to the plane.")
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto, console or json."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Log level.")

    @property
    def watches_kubernetes(self) -> bool:
        if self.platform == "auto":
            return bool(self.kubernetes_server or os.environ.get("KUBERNETES_SERVICE_HOST"))
        return self.platform == "kubernetes"


def load(flags: dict[str, Any]) -> SentinelSettings:
    """From flags, then variables. Raises SettingsWrong, which names each setting that is wrong and never a value."""
    given = {name: value for name, value in flags.items() if value is not None}
    for name in ("units", "state_dirs"):
        text = given.get(name, os.environ.get(PREFIX + name.upper()))
        if isinstance(text, str):
            given[name] = tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return SentinelSettings(**given)
    except ValidationError as error:
        raise SettingsWrong(
            "; ".join(
                f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
                for one in error.errors(include_url=False, include_input=False)
            ),
            remedy=f"Set the variables {PREFIX}…; docs/how-to/sentinel.md lists them",
        ) from None
    except SettingsError as error:
        raise SettingsWrong(str(error)) from None
