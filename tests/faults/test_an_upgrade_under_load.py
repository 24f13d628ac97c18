"""A plane and its agents are upgraded under load, and taken back, to the letter of `docs/how-to/upgrade.md`.

The release before is built of this repository's history (`support.releases`). Its distributions and this one's are installed into
the same environments with the page's commands, while the processes of these environments run.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults.conftest import SCALED
from faults.fleet import DAGS, EVERY_DAG, Fleet, in_full
from support import built, directories, postgresql, releases
from support.deployment import new_token
from support.journal import ran_once
from support.machines import Machine
from support.network import Proxy
from support.patience import eventually, stretched
from tradewind.embedded import agent, plane

pytestmark = [pytest.mark.timeout(1800), in_full]

PAGE = built.Page("how-to/upgrade.md")
OF_A_PLANE = "pip install --upgrade --find-links dist/ --constraint dist/constraints.txt 'tradewind-provider"
OF_AN_AGENT = "pip install --upgrade --find-links dist/ --constraint dist/constraints.txt tradewind-agent"
AGENTS = ("first-1", "first-2")
COLUMNS = """
SELECT table_name, column_name, data_type, character_maximum_length, is_nullable FROM information_schema.columns
WHERE table_name LIKE 'tradewind_%'
"""


@dataclass(frozen=True)
class Releases:
    """Folders as `make dist` makes them."""

    before: Path
    now: Path


@pytest.fixture(scope="module")
def dists() -> Iterator[Releases]:
    try:
        before = releases.built_before()
    except releases.NoHistory as problem:
        pytest.skip(f"there is no release before this one to be built: {problem}")
    with directories.short("tw-dist-") as made:
        yield Releases(before, built.build(made / "dist", "--without-sboms"))


@dataclass
class Member:
    """An agent and the machine it runs on, its task environment that of the agent."""

    machine: Machine
    agent: agent.Agent


class Estate:
    """A plane with two API servers and two schedulers behind a load balancer, two agents of one site, and their operator."""

    def __init__(
        self, fleet: Fleet, balancer: Proxy, dists: Releases, planes: Machine, operator: Machine
    ) -> None:
        self.fleet = fleet
        self.url = balancer.url
        self.members: dict[str, Member] = {}
        self._dists = dists
        self._planes = planes
        self._operator = operator
        operator.run(built.Page("how-to/make-your-airflow-a-plane.md").block("uv tool install"))
        add = f"tradewind contexts add test {self.url} --username admin --password-stdin"
        self._operator.run(add, given=fleet.plane.passwords["admin"])

    def add(self, name: str, machine: Machine) -> None:
        """Start an agent with all components on a machine where it is installed already."""
        python = machine.place / "venv" / "bin" / "python"
        site = {"SITE_JOURNAL": str(self.fleet.journal.path), "SITE_AGENT": name, "PYTHONPATH": str(DAGS)}
        settings = agent.AgentSettings(
            home=machine.place / "agent",
            plane_url=self.url,
            token=new_token(self.fleet.plane, name),
            name=name,
            interpreter=python,
            tasks=python,
            dags=DAGS,
            site=site,
            options={"storage": str(self.fleet.home / "storage"), "slots": 8},
        )
        made = agent.Agent(settings)
        self.members[name] = Member(machine, made)
        made.configure()
        made.start()
        self.wait_healthy(name)

    def described(self, name: str) -> dict[str, Any]:
        answer = self.fleet.rest.http.get("/tradewind/v1/agents", params={"name": name, "gone": True})
        answer.raise_for_status()
        return dict(max(answer.json()["items"], key=lambda one: str(one["opened_at"])))

    def wait_healthy(self, name: str) -> None:
        member = self.members[name]

        def healthy() -> bool:
            found = self.fleet.query(
                "SELECT id FROM tradewind_session WHERE name = :name AND ended_at IS NULL AND room IS NOT NULL",
                name=name,
            )
            return bool(found) and self.described(name)["state"] == "healthy"

        eventually(healthy, timeout=120, what=member.agent.process.tail)

    def plane_to(self, dist: Path, *, migrates: bool) -> None:
        """Bring every process of the plane to that release, one after the other."""
        before = set(map(tuple, self.fleet.query(COLUMNS)))
        self._planes.bring(dist)
        self._planes.run(PAGE.block(OF_A_PLANE))
        if migrates:
            self._planes.run(PAGE.block("airflow db migrate"))
            assert before <= set(map(tuple, self.fleet.query(COLUMNS))), "a migration only adds"
        for process in (*self.fleet.plane.api_servers, *self.fleet.plane.schedulers):
            process.stop(grace=60)
            process.start()
            self.fleet.plane.wait_ready()

    def agents_to(self, dist: Path) -> None:
        for name, member in self.members.items():
            self._operator.run(PAGE.block("tradewind agents drain").replace("frankfurt-1", name))
            assert member.agent.process.wait(stretched(30)) == 0, member.agent.process.tail()
            member.machine.bring(dist)
            member.machine.run(PAGE.block(OF_AN_AGENT))
            member.agent.start()
            self.wait_healthy(name)

    @property
    def versions(self) -> tuple[str, set[str]]:
        """Of the plane's environment, and of the agents as the plane shows them."""
        return (
            self._planes.has("tradewind-provider"),
            {str(self.described(name)["version"]) for name in self.members},
        )

    def bring(self, *, plane_to: Path, agents_to: Path) -> None:
        """Make the state that a test begins with, without load."""
        wanted = tuple(
            releases.VERSION if one == self._dists.before else built.version()
            for one in (plane_to, agents_to)
        )
        if self.versions[0] != wanted[0]:
            self.plane_to(plane_to, migrates=False)
        if self.versions[1] != {wanted[1]}:
            self.agents_to(agents_to)


class Load:
    """Runs of mapped tasks one after the other, a run that waits on a trigger, and a long task. A thread while entered.

    At its end every run is judged: nothing was lost, nothing ran twice, no retry was used, and every Dag stayed.
    """

    def __init__(self, estate: Estate, *, at_once: int = 2, seconds: float = 4) -> None:
        self._estate = estate
        self._fleet = estate.fleet
        self._at_once = at_once
        self._seconds = seconds
        self._numbers = itertools.count()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, name="load")
        self._problems: list[str] = []
        self.runs: list[str] = []
        self.waiting = self.long = ""

    def __enter__(self) -> Load:
        wait_is_over(self._fleet).unlink(missing_ok=True)
        self.waiting = self._fleet.start("waits")
        self.long = self._fleet.start("work_1", seconds=45)
        self._fleet.rest.unpause("work_4")
        self._thread.start()
        self._fleet.journal.wait_for_spans(1, timeout=120, run=self.long)
        eventually(lambda: bool(self.triggers()), timeout=120, what="the trigger runs")
        self.goes_on()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if kind is None:
            self._judge()

    def triggers(self) -> list[dict[str, Any]]:
        return self._fleet.journal.entries("trigger", run=self.waiting)

    def goes_on(self) -> None:
        """Return once four more tasks have begun."""
        begun = len(self._spans())
        eventually(
            lambda: len(self._spans()) >= begun + 4,
            timeout=120,
            what=lambda: f"four more than {begun} tasks begin; {self._problems}",
        )

    def _spans(self) -> list[Any]:
        return [span for span in self._fleet.journal.spans() if span.run in set(self.runs)]

    def _keep_up(self) -> None:
        with self._fleet.plane.client() as http:
            http.base_url = httpx.URL(self._estate.url)
            while not self._over.wait(0.5):
                if stale := self._fleet.query("SELECT dag_id FROM dag WHERE is_stale"):
                    self._problems.append(f"stale Dags: {stale}")
                if errors := self._fleet.query("SELECT filename, stacktrace FROM import_error"):
                    self._problems.append(f"import errors: {errors}")
                rows = self._fleet.query(
                    "SELECT run_id FROM dag_run WHERE dag_id = 'work_4' AND state IN ('queued', 'running')"
                )
                if len(rows) < self._at_once:
                    self._trigger(http)

    def _trigger(self, http: httpx.Client) -> None:
        """Again until it is answered, as a careful client: the run's name is the same each time."""
        run = f"load-{id(self)}-{next(self._numbers)}"
        self.runs.append(run)
        body = {"dag_run_id": run, "logical_date": None, "conf": {"seconds": self._seconds}}
        while not self._over.wait(0.2):
            try:
                answer = http.post("/api/v2/dags/work_4/dagRuns", json=body)
            except httpx.TransportError:
                continue  # the API server that had the request restarts
            if answer.status_code in (200, 409):
                return
            self._problems.append(f"{answer.status_code} {answer.text}")
        self.runs.remove(run)

    def _judge(self) -> None:
        fleet = self._fleet
        wait_is_over(fleet).touch()
        assert fleet.finished("waits", self.waiting).state == "success"
        assert fleet.finished("work_1", self.long).state == "success"
        for run in self.runs:
            assert fleet.finished("work_4", run).state == "success", run
        ran_once(self._spans(), 4 * len(self.runs))
        ran_once(fleet.spans(self.long), 1)
        for run in (*self.runs, self.long, self.waiting):
            assert {tries for tries, _ in fleet.tries(run).values()} == {1}, fleet.tries(run)
            assert {one.outcome for one in fleet.attempts(run)} == {"succeeded"}, fleet.attempts(run)
        assert not fleet.live()
        assert not self._problems


@contextmanager
def tables_of_a_later_release(fleet: Fleet) -> Iterator[None]:
    """The tables as a migration of a later release leaves them: with more columns, under a revision that this one does not know."""
    [(revision,)] = fleet.query("SELECT version_num FROM tradewind_alembic_version")
    tables = {table for table, *_ in fleet.query(COLUMNS)} - {"tradewind_alembic_version"}
    for table in tables:
        fleet.execute(f"ALTER TABLE {table} ADD COLUMN of_a_later_release integer NOT NULL DEFAULT 0")
    fleet.execute("UPDATE tradewind_alembic_version SET version_num = 'later'")
    try:
        yield
    finally:
        fleet.execute("UPDATE tradewind_alembic_version SET version_num = :revision", revision=revision)
        for table in tables:
            fleet.execute(f"ALTER TABLE {table} DROP COLUMN of_a_later_release")


def wait_is_over(fleet: Fleet) -> Path:
    return fleet.journal.path.with_name("wait_is_over")


@pytest.fixture(scope="module")
def estate(dists: Releases, server: postgresql.PostgreSQL) -> Iterator[Estate]:
    """All of it as the release before."""
    with directories.short("tw-u-") as home:
        machines = {
            name: Machine.new(home / name, dists.before, Path(sys.executable).resolve(), pip=False)
            for name in ("plane", "operator", *AGENTS)
        }
        planes = machines["plane"]
        planes.run(PAGE.block(OF_A_PLANE).replace("--upgrade ", ""))
        for name in AGENTS:
            machines[name].run(PAGE.block(OF_AN_AGENT).replace("--upgrade ", ""))
        settings = plane.PlaneSettings(
            home=home / "airflow",
            interpreter=planes.place / "venv" / "bin" / "python",
            database=server.new_database(),
            api_servers=2,
            schedulers=2,
            options={
                "scheduler": {"scheduler_idle_sleep_time": "0.5", "scheduler_heartbeat_sec": "2"},
                "tradewind": SCALED,
            },
        )
        planes.env["AIRFLOW_HOME"] = str(settings.home)
        with plane.Plane(settings) as running:
            fleet = Fleet(running, home, server)
            targets = [("127.0.0.1", port) for port in running.ports]
            with Proxy(*targets) as balancer:
                made = Estate(fleet, balancer, dists, planes, machines["operator"])
                try:
                    for name in AGENTS:
                        made.add(name, machines[name])
                    fleet.rest.wait_for_dags(EVERY_DAG, timeout=stretched(120))
                    yield made
                finally:
                    for member in made.members.values():
                        member.agent.stop(grace=30)
                    fleet.close()


def test_the_plane_first_then_the_agents_loses_and_repeats_nothing(estate: Estate, dists: Releases) -> None:
    estate.bring(plane_to=dists.before, agents_to=dists.before)
    with Load(estate) as load:
        estate.plane_to(dists.now, migrates=True)
        load.goes_on()
        assert estate.versions == (built.version(), {releases.VERSION})
        assert len(load.triggers()) == 1, "no trigger starts again because its plane does"
        estate.agents_to(dists.now)
        load.goes_on()
        assert estate.versions == (built.version(), {built.version()})


def test_the_way_back_and_agents_that_go_first_lose_and_repeat_nothing(
    estate: Estate, dists: Releases
) -> None:
    estate.bring(plane_to=dists.now, agents_to=dists.now)
    with tables_of_a_later_release(estate.fleet), Load(estate) as load:
        estate.agents_to(dists.before)
        load.goes_on()
        estate.plane_to(dists.before, migrates=False)
        load.goes_on()
        assert estate.versions == (releases.VERSION, {releases.VERSION})
        estate.agents_to(dists.now)
        load.goes_on()
        assert estate.versions == (releases.VERSION, {built.version()})
