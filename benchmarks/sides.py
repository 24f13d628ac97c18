"""The executors side by side: each one's processes, on a database of its own, and what belongs to which role."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks import database, environments, realistic_site
from benchmarks.processes import Role
from support.airflow_rest import AirflowRest
from support.deployment import new_token
from tradewind.embedded import agent, plane, processes

DAGS = Path(__file__).parent / "dags"
BUNDLE = agent.AgentSettings.bundle
"""The bundle of those Dags, for every executor: the one that the embedded agent has by default."""
SLOTS = 16
"""Tasks at once, the same for every executor."""

COMMON: Mapping[str, Mapping[str, str]] = {
    # What anyone does who runs many small tasks.
    "core": {
        "default_pool_task_slot_count": "4000",
        "max_active_tasks_per_dag": "2000",
        "max_active_runs_per_dag": "100",
    },
    "scheduler": {"max_tis_per_query": "128", "max_dagruns_to_create_per_loop": "50"},
    "triggerer": {"capacity": "4000"},
}

PROFILES: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "tuned": {"scheduler_idle_sleep_time": "0.1"},  # docs/how-to/tune-the-scheduler.md
}


@dataclass(frozen=True)
class Choices:
    """What an executor is started with, beside what all have."""

    profile: str = "default"
    site: str = "realistic"  # or "bare"
    accelerators: str = "all"  # of the agent, comma between them
    shortcuts: str = "all"  # of the plane, comma between them

    @property
    def label(self) -> str:
        """What is not the default, in words; empty when everything is."""
        parts = [
            self.profile if self.profile != "default" else "",
            f"{self.site} site" if self.site != "realistic" else "",
            f"accelerators: {self.accelerators}" if self.accelerators != "all" else "",
            f"shortcuts: {self.shortcuts}" if self.shortcuts != "all" else "",
        ]
        return "; ".join(part for part in parts if part)


@dataclass
class Side:
    """One executor, running."""

    name: str
    home: Path
    plane: plane.Plane
    database: database.Database
    rest: AirflowRest
    dags: Path
    roles: dict[str, Role] = field(default_factory=dict)
    agent: agent.Agent | None = None
    site: realistic_site.Site | None = None  # None: a bare one


class running:
    """Start one executor with the Dags in `dags`; everything is gone on leaving."""

    def __init__(self, name: str, home: Path, server: Any, choices: Choices) -> None:
        self._name, self._home, self._server, self._choices = name, home, server, choices
        self._dags = DAGS
        self._site: realistic_site.Site | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Side:
        try:
            return self._start()
        except BaseException:
            self._stack.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> Side:
        self._home.mkdir(parents=True, exist_ok=True)
        # Its own, to which a workload may add files.
        own = shutil.copytree(self._dags, self._home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        self._dags = own
        if self._choices.site == "realistic":
            self._site = self._stack.enter_context(realistic_site.running(self._home / "site"))
        db = self._stack.enter_context(database.Database(self._server))
        settings = plane.PlaneSettings(
            home=self._home / "plane",
            database=db.url,
            executor=EXECUTORS[self._name],
            stock=self._name != "tradewind",
            interpreter=environments.python(self._name),
            options=_options(self._name, self._choices, self._site, self._dags, db.url),
        )
        running_plane = plane.Plane(settings)
        if environments.environment(self._name) == "edge3":
            # The worker asks the API server by its address, which is known only now.
            running_plane.settings.options["edge"]["api_url"] = (  # type: ignore[index]
                f"{running_plane.url}/edge_worker/v1/rpcapi"
            )
        self._stack.callback(running_plane.stop)
        running_plane.configure()
        running_plane.migrate()
        running_plane.start()
        rest = AirflowRest(running_plane.client())
        side = Side(self._name, self._home, running_plane, db, rest, self._dags, site=self._site)
        side.roles = {
            "API server": _of(running_plane.api_servers),
            "scheduler": Role(_roots(running_plane.schedulers), alone=self._name == "local"),
            "database": Role(lambda: [psutil.Process(self._server.process.pid)]),
        }
        STARTERS[self._name](self, side)
        return side

    # ---- the workers of each

    def tradewind(self, side: Side) -> None:
        variables = {
            **{key: value for key, value in os.environ.items() if key.startswith("BENCH_")},
            "PYTHONPATH": str(self._dags),
            **(self._site.environ() if self._site is not None else {}),
        }
        side.agent = self._stack.enter_context(
            agent.Agent(
                agent.AgentSettings(
                    home=self._home / "agent",
                    plane_url=side.plane.url,
                    token=new_token(side.plane),
                    name="bench",
                    dags=self._dags,
                    interpreter=environments.python("tradewind", "agent"),
                    tasks=environments.python("tradewind", "tasks"),
                    options={
                        "accelerators": self._choices.accelerators.split(","),
                        "environments": [
                            {
                                "name": "default",
                                "slots": SLOTS,
                                "env": {"AIRFLOW_HOME": str(self._home / "agent" / "airflow"), **variables},
                            }
                        ],
                    },
                )
            )
        )
        process = side.agent.process
        side.roles |= {
            "agent": Role(_roots([process]), alone=True),
            "worker": Role(_children_named(process, "worker process")),
            "dag processor": Role(_children_named(process, "dag processor")),
            "triggerer": Role(_children_named(process, "triggerer")),
        }

    def local(self, side: Side) -> None:
        side.roles["worker"] = Role(_roots(side.plane.schedulers), below=True)
        _others(side)

    def edge3(self, side: Side) -> None:
        self._worker(side, ["edge", "worker", "--concurrency", str(SLOTS), "--queues", "default"])

    def celery(self, side: Side) -> None:
        self._worker(side, ["celery", "worker", "--concurrency", str(SLOTS), "--queues", "default"])

    def _worker(self, side: Side, arguments: list[str]) -> None:
        worker = side.plane._process("worker", arguments)
        worker.start()
        self._stack.callback(worker.stop, grace=15)
        side.roles["worker"] = _of([worker])
        _others(side)


EXECUTORS = {
    "tradewind": plane.REMOTE_EXECUTOR,
    "local": "LocalExecutor",
    "edge3": "airflow.providers.edge3.executors.EdgeExecutor",
    "edge3-stock": "airflow.providers.edge3.executors.EdgeExecutor",
    "celery": "CeleryExecutor",
}
STARTERS: dict[str, Callable[[running, Side], None]] = {
    "tradewind": running.tradewind,
    "local": running.local,
    "edge3": running.edge3,
    "edge3-stock": running.edge3,
    "celery": running.celery,
}


def _options(
    name: str, choices: Choices, site: realistic_site.Site | None, dags: Path, database_url: str
) -> dict[str, dict[str, str]]:
    options = {section: dict(values) for section, values in COMMON.items()}
    options["scheduler"] |= PROFILES[choices.profile]
    options["core"]["parallelism"] = str(SLOTS if name == "local" else 8 * SLOTS)
    if site is not None:
        for section, values in (site.plane() if name == "tradewind" else site.tasks()).items():
            options.setdefault(section, {}).update(values)
    if name == "tradewind":
        options["tradewind"] = {"shortcuts": choices.shortcuts}
    else:
        options["dag_processor"] = {"dag_bundle_config_list": json.dumps([agent.local_bundle(BUNDLE, dags)])}
    if environments.environment(name) == "edge3":
        options["edge"] = {"api_enabled": "True", "worker_concurrency": str(SLOTS)}
    if name == "edge3":
        options["edge"]["job_poll_interval"] = "1"  # its default, which edge3-stock keeps, is 5
    if name == "celery":
        options["celery"] = {
            "broker_url": f"redis://127.0.0.1:{os.environ['BENCH_REDIS_PORT']}/0",
            "result_backend": "db+" + database_url,
            "worker_prefetch_multiplier": "1",
        }
    return options


def _roots(found: list[processes.LocalProcess]) -> Callable[[], list[psutil.Process]]:
    return lambda: [psutil.Process(each.pid) for each in found if each.running]


def _of(found: list[processes.LocalProcess]) -> Role:
    return Role(_roots(found))


def _others(side: Side) -> None:
    names = {"dag-processor": "dag processor", "triggerer": "triggerer"}
    for process in side.plane.others:
        side.roles[names[process.name]] = _of([process])


def _children_named(process: processes.LocalProcess, words: str) -> Callable[[], list[psutil.Process]]:
    """An agent's hosts by what they call themselves in the process list."""

    def find() -> list[psutil.Process]:
        found = []
        for child in psutil.Process(process.pid).children():
            try:
                if words in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return found

    return find


if sys.platform != "linux":
    raise SystemExit("the benchmark reads /proc: Linux only")
