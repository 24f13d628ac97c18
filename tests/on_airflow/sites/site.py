"""A site of the matrix as its promises see it, and the planes that the sites belong to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.airflow_rest import AirflowRest, Run
from support.deployment import run_site
from support.installed import plane_settings
from tradewind.embedded.plane import Plane

DAGS = Path(__file__).parent / "dags"
NAMES = ("promises", "fails", "built")
PASSWORD = "SECRET-CONNECTION-password"
VARIABLE = "SECRET-VARIABLE-value"


@dataclass
class Site:
    """Dags of one site on a plane, and what their tasks wrote down."""

    name: str
    rest: AirflowRest
    journal_file: Path
    home: Path
    also: Callable[[Site], None] = lambda site: None  # asserts what holds at this kind of site alone
    _runs: dict[str, Run] = field(default_factory=dict)

    def dag(self, which: str) -> str:
        return f"{self.name}_{which}"

    def run(self, which: str) -> Run:
        """That Dag's run as it ended; run once."""
        if which not in self._runs:
            self._runs[which] = self.rest.run(self.dag(which), timeout=120)
        return self._runs[which]

    def journal(self, event: str) -> list[dict[str, Any]]:
        """What user code of this site wrote down under that name, whichever journal it wrote to."""
        entries = [json.loads(line) for line in self.journal_file.read_text().splitlines()]
        return [each for each in entries if each["event"] == event and each["site"] == self.name]

    def log(self, which: str, task_id: str, *, try_number: int = 1) -> list[tuple[str, str]]:
        """The lines that Airflow's page shows of that task, each after its logger; not where they come from."""
        path = f"/dags/{self.dag(which)}/dagRuns/{self.run(which).run_id}/taskInstances/{task_id}"
        content = self.rest.get(f"{path}/logs/{try_number}")["content"]
        lines = [(str(line.get("logger", "")), str(line["event"])) for line in content]
        events = [event for _, event in lines]
        if "::group::Log message source details" in events[:1]:
            del lines[: events.index("::endgroup::") + 1]
        return lines


class Planes:
    """Planes that sites of the matrix share: a plane takes longer to start than a site."""

    def __init__(self, home: Path, new_database: Any) -> None:
        self._home = home
        self._new_database = new_database
        self._stack = ExitStack()
        self._started: dict[str, Plane] = {}

    def __enter__(self) -> Planes:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def home_of(self, name: str) -> Path:
        return self._home / f"plane-{name}"

    def plane(
        self,
        name: str = "remote",
        *,
        variables: Mapping[str, str] | None = None,
        options: Mapping[str, Mapping[str, str]] | None = None,
        **more: Any,
    ) -> Plane:
        """The plane of that name; started when it is asked for first, with these settings and in that environment."""
        if name not in self._started:
            options = {"scheduler": {"scheduler_idle_sleep_time": "0.5"}, **(options or {})}
            settings = plane_settings(
                home=self.home_of(name), database=self._new_database(), options=options, **more
            )
            with pytest.MonkeyPatch.context() as environment:
                for key, value in (variables or {}).items():
                    environment.setenv(key, value)
                self._started[name] = self._stack.enter_context(Plane(settings))
        return self._started[name]


def site_variables(name: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a site's tasks. A variable that is empty is as good as none."""
    return {
        "SITE_NAME": name,
        "AIRFLOW_CONN_SITE_HTTP": f"http://user:{PASSWORD}@127.0.0.1:1",
        "AIRFLOW_VAR_SITE_VARIABLE": VARIABLE,
        **(more or {}),
    }


@contextmanager
def one_agent(
    plane: Plane, home: Path, name: str, *, variables: Mapping[str, str] | None = None, **more: Any
) -> Iterator[Site]:
    """A site with one agent and the Dags of the matrix."""
    made = run_site(
        home, plane, name=name, bundle=name, dags=DAGS, site=site_variables(name, variables), **more
    )
    with made, plane.client() as http:
        rest = AirflowRest(http)
        rest.wait_for_dags([f"{name}_{each}" for each in NAMES])
        yield Site(name, rest, home / "journal", home)
