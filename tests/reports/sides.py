"""The sides of the comparison: a plane with LocalExecutor and Airflow's own processes, and planes with one agent's site."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reports import plays, records
from reports.progress import Progress
from reports.records import Places, Record
from reports.scenarios import DAGS, Scenario
from support.airflow_rest import ENDED, AirflowRest
from support.deployment import run_site
from support.installed import PLANES_DRIVERS, ROOT, TASKS_PACKAGES, plane_settings
from support.patience import eventually, stretched
from tradewind.embedded import plane
from tradewind.embedded.agent import local_bundle
from tradewind.embedded.environments import WHEELS, Checkout

SITE = Path(__file__).parent / "site"
PLUGINS = SITE / "plugins"
DAGS_NEED = (
    *TASKS_PACKAGES,
    "apache-airflow",
    "apache-airflow-providers-smtp",
    "pandas",
    "pyarrow",
)
"""What the Dags import: it is installed where tasks run, on either side."""

QUIET = 10.0
"""Seconds without a word of user code after the last run has ended: callbacks of runs are called after their end."""

SCHEDULER = {"scheduler_idle_sleep_time": "0.5", "max_dagruns_to_create_per_loop": "100"}

PATIENCE = {"execution_api_timeout": "60"}
"""Of LocalExecutor's tasks. They ask five times for five seconds as installed: where the machine is busy with all of these
Dags, the answer to a start came later, and the task was lost."""

PARSING = {"min_file_process_interval": "600"}
"""No file changes here: reading sixty of them every half minute would take a small machine's time."""

CLASSES = {"allowed_deserialization_classes": "airflow.* shared_values.*"}

SECRETS = {
    "backend": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
    "backend_kwargs": json.dumps(
        {
            "connections_file_path": str(SITE / "connections.json"),
            "variables_file_path": str(SITE / "variables.json"),
        }
    ),
}


@dataclass(frozen=True)
class Site:
    """One kind of site of the matrix."""

    name: str
    strict: bool
    plugin: bool
    env: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)


def sites() -> list[Site]:
    """The matrix: what the agents of today's users look like."""
    in_environment = {**_as_environment("CONN", "connections"), **_as_environment("VAR", "variables")}
    return [
        Site("bare", strict=True, plugin=False, env=in_environment),
        Site(
            "furnished",
            strict=True,
            plugin=True,
            env={
                **_as_variables("secrets", SECRETS),
                **_as_variables("core", {"plugins_folder": str(PLUGINS)}),
            },
        ),
        Site("open", strict=False, plugin=False, env=in_environment, options={"policy": "open"}),
    ]


def _as_environment(kind: str, file: str) -> dict[str, str]:
    stored = json.loads((SITE / f"{file}.json").read_text())
    return {
        f"AIRFLOW_{kind}_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in stored.items()
    }


def _as_variables(section: str, options: Mapping[str, str]) -> dict[str, str]:
    return {f"AIRFLOW__{section.upper()}__{key.upper()}": value for key, value in options.items()}


def fitting(site: Site, chosen: Sequence[Scenario]) -> list[Scenario]:
    """The scenarios that the site has everything for."""
    return [each for each in chosen if site.plugin or not each.plugin]


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables of this process, which a plane's processes inherit."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def under_local_executor(home: Path, database: str, chosen: Sequence[Scenario]) -> Mapping[str, Record]:
    """Run them on a plane with LocalExecutor, Airflow's own dag processor and triggerer, and the plugin installed."""
    home.mkdir(parents=True)
    settings = plane.PlaneSettings(
        home=home / "plane",
        database=database,
        interpreter=Checkout(ROOT).environment("stock", (), (*DAGS_NEED, *PLANES_DRIVERS)),
        stock=True,
        executor="LocalExecutor",
        options={
            "core": {"parallelism": "8", "plugins_folder": str(PLUGINS), **CLASSES},
            "scheduler": SCHEDULER,
            "workers": PATIENCE,
            "secrets": SECRETS,
            "dag_processor": {
                "dag_bundle_config_list": json.dumps([local_bundle("dags", DAGS, refresh_interval=300)]),
                **PARSING,
            },
        },
    )
    own = {"SITE_JOURNAL": str(home / "journal"), "PYTHONPATH": str(DAGS)}
    with _variables(own), plane.Plane(settings) as running, running.client() as http:
        places = _places(home, running)
        return _perform(AirflowRest(http), chosen, home / "journal", places)


def on_an_agent(home: Path, database: str, site: Site, chosen: Sequence[Scenario]) -> Mapping[str, Record]:
    """Run them at a site of one agent, on a plane that has nothing but Tradewind."""
    home.mkdir(parents=True)
    plane_options = {"scheduler": SCHEDULER, "tradewind": {"policy": "strict" if site.strict else "open"}}
    settings = plane_settings(home=home / "plane", database=database, options=plane_options)
    options = {"slots": 12, **site.options}
    tasks = Checkout(ROOT).environment("tasks", WHEELS["tasks"], DAGS_NEED)
    env = {**_as_variables("dag_processor", PARSING), **_as_variables("core", CLASSES), **site.env}
    with plane.Plane(settings) as running, running.client() as http:
        with run_site(home / "site", running, dags=DAGS, site=env, options=options, tasks=tasks):
            places = _places(home, running)
            return _perform(AirflowRest(http), chosen, home / "site" / "journal", places)


def _places(home: Path, running: plane.Plane) -> Places:
    return Places(
        {
            str(DAGS): "<dags>",
            str(home): "<home>",
            str(home / "plane"): "<folder>",  # a task's current folder under LocalExecutor, and at a site
            str(home / "site" / "agent"): "<folder>",
            running.url: "<plane>",
        }
    )


def wait_for_dags(rest: AirflowRest, chosen: Sequence[Scenario]) -> Mapping[str, str]:
    """Return once the Dags of all scenarios are there: of those whose file cannot be imported, by name, the reason."""

    def broken() -> dict[str, str]:
        return {Path(each["filename"]).stem: each["stack_trace"] for each in rest.import_errors()}

    def missing() -> set[str]:
        left_out = broken()
        wanted = {dag_id for each in chosen if each.name not in left_out for dag_id in each.ends}
        return wanted - rest.dags().keys()

    eventually(lambda: not missing(), timeout=240, what=lambda: f"missing Dags {missing()}")
    return broken()


def _perform(
    rest: AirflowRest, chosen: Sequence[Scenario], journal: Path, places: Places
) -> Mapping[str, Record]:
    """All scenarios at once; each is recorded once all have ended, or nothing has ended for long."""
    broken = wait_for_dags(rest, chosen)
    whole = [each for each in chosen if each.name not in broken]
    problems: dict[str, str] = {}
    progress = Progress(journal)

    def perform(scenario: Scenario) -> None:
        try:
            plays.PLAYS[scenario.play](plays.Stage(rest, scenario, journal, progress))
        except Exception as problem:
            problems[scenario.name] = f"{type(problem).__name__}: {problem}"[:2000]

    with ThreadPoolExecutor(max_workers=len(whole) + 1) as pool:
        performing = [pool.submit(perform, each) for each in whole]
        while not progress.stalled:
            over = all(each.done() for each in performing)  # asked before the runs: a play starts some
            runs = records.runs_by_dag(rest)
            progress.note_ended(sum(state in ENDED for states in runs.values() for state in states))
            if over and all(records.ended(each, runs) for each in whole):
                break
            time.sleep(1)
    while progress.still_for < stretched(QUIET):
        time.sleep(1)
    recorded = {
        each.name: records.record(rest, each, journal, places, problem=problems.get(each.name, ""))
        for each in whole
    }
    return recorded | {
        each.name: records.of_none(each, broken[each.name]) for each in chosen if each not in whole
    }
