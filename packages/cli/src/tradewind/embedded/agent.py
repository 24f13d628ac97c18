"""An agent as a local process, given what a remote one is given: an address, a token, and its own site."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tradewind.embedded import processes


@dataclass(frozen=True)
class AgentSettings:
    """What a local agent is made of."""

    home: Path  # its state, its configuration, its site's AIRFLOW_HOME; made when missing
    plane_url: str
    token: str = field(repr=False)
    interpreter: Path  # of the environment that has tradewind-agent
    tasks: Path  # of the environment that has Airflow and tradewind-runtime
    name: str = "local"
    dags: Path | None = None  # a directory of Dags; becomes the one bundle, named `bundle`
    bundle: str = "dags"
    components: Sequence[str] = ("worker", "dag_processor", "triggerer")
    queues: Sequence[str] = ("default",)
    site: Mapping[str, str] = field(
        default_factory=dict
    )  # environment variables of the site's task environments
    options: Mapping[str, Any] = field(default_factory=dict)
    # more of the agent's settings file; `slots`, `queues` and `interpreter` are those of its one environment, and
    # `environments` stand in its place, with the interpreter `tasks` where they name none
    user: int | None = None  # run as this user id


class Agent:
    """An agent that runs until `stop`. A context manager: everything it started is gone afterwards."""

    def __init__(self, settings: AgentSettings) -> None:
        self.settings = settings
        self.home = settings.home
        self.state_dir = settings.home / "state"
        self.process = processes.LocalProcess(
            f"agent {settings.name}",
            [settings.interpreter, "-m", "tradewind_agent", "run", "--config", self.home / "agent.toml"],
            env=_clean_environment(),
            log=self.home / "agent.log",
            user=settings.user,
            cwd=self.home if settings.user is None else Path("/"),
        )

    def __enter__(self) -> Agent:
        self.configure()
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def configure(self) -> None:
        """Write agent.toml and the token file, readable by their owner."""
        self.home.mkdir(parents=True, exist_ok=True)
        token_file = self.home / "token"
        _write_private(token_file, self.settings.token)
        _write_private(self.home / "agent.toml", _toml(self._options(token_file)))
        if self.settings.user is not None:
            for path in (self.home, token_file, self.home / "agent.toml"):
                os.chown(path, self.settings.user, self.settings.user)

    def _options(self, token_file: Path) -> dict[str, Any]:
        site = {"AIRFLOW_HOME": str(self.home / "airflow"), **self.settings.site}
        options: dict[str, Any] = {
            "plane_url": self.settings.plane_url,
            "token_file": str(token_file),
            "name": self.settings.name,
            "state_dir": str(self.state_dir),
            "components": list(self.settings.components),
            "metrics_port": 0,
        }
        if self.settings.dags is not None:
            options["bundles"] = [local_bundle(self.settings.bundle, self.settings.dags)]
        more = dict(self.settings.options)
        if "environments" not in more:
            # The agent asks for these when it is given no environments, and here it is given one.
            own = {name: more.pop(name) for name in ("slots", "queues", "interpreter") if name in more}
            more["environments"] = [
                {"name": "default", "queues": list(self.settings.queues), "env": site, **own}
            ]
        interpreter = str(self.settings.tasks)
        more["environments"] = [{"interpreter": interpreter, **each} for each in more["environments"]]
        return {**options, **more}

    def start(self) -> None:
        self.process.start()

    def stop(self, *, grace: float = 20) -> None:
        """SIGTERM (drain), SIGKILL for what is left after `grace` seconds. Idempotent."""
        self.process.stop(grace=grace)


def local_bundle(name: str, path: Path, *, refresh_interval: int = 2) -> dict[str, Any]:
    """A LocalDagBundle as the agent's `bundles` setting has it."""
    return {
        "name": name,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(path), "refresh_interval": refresh_interval},
    }


def _clean_environment() -> dict[str, str]:
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("AIRFLOW", "TRADEWIND", "_AIRFLOW"))
    }


def _write_private(path: Path, text: str) -> None:
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)


def _toml(options: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_toml_value(value)}\n" for key, value in options.items())


def _toml_value(value: Any) -> str:
    # A JSON string, number or boolean is a TOML one; tables and arrays are written inline.
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{json.dumps(key)} = {_toml_value(each)}" for key, each in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(each) for each in value) + "]"
    return json.dumps(value)
