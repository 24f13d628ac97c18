"""The local driver with real processes and a stub for Airflow: its whole life, and killed at every point of it (scenarios 10, 11)."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from click.testing import CliRunner

from support import directories, plane_archive, stub_airflow
from support.dying_reconciler import DyingReconcilers, settings_of
from support.platform_parts import Api, Time
from tradewind.cli import main
from tradewind.embedded.plane import free_port
from tradewind.embedded.processes import wait_until
from tradewind.errors import BadUsage
from tradewind.gateway import program
from tradewind_platform.api.context import Platform
from tradewind_platform.clock import utc_now
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.operations import Kind
from tradewind_platform.local.driver import LocalDriver
from tradewind_platform.local.processes import Processes
from tradewind_platform.reconciler.reconciler import Reconciler
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import clusters
from tradewind_platform.services.people import first_organization
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_platform.store.sessions import Store, open_engine

ROOT = Path(__file__).parents[3]
OLD, NEW = "3.3.0", "3.3.2"
pytestmark = [pytest.mark.timeout(300)]


class Machine:
    """A platform whose local cluster runs stubs."""

    def __init__(self, home: Path) -> None:
        try:
            program.find(None)
        except BadUsage as missing:
            pytest.skip(f"{missing.message}: `make network` installs it")
        self.home = home
        self.ports = (free_port(), free_port())
        self.pythons = {version: stub_airflow.install(home / version, version) for version in (OLD, NEW)}
        self.settings = settings_of(home, self.ports, self.pythons)
        self.store = Store(open_engine(f"sqlite:///{home}/platform.db"))
        migrate(self.store.engine)
        ring = KeyRing.create(home / "keys")
        organization = first_organization(self.store, "acme", now=utc_now())
        with self.store.transaction(organization) as db:
            clusters.ensure(
                db,
                "local",
                driver="local",
                slug="c2345abc",
                agents_url=self.settings.agents_url,
                people_url=self.settings.people_url,
                now=utc_now(),
            )
        offered = Offered((Release(NEW), Release(OLD)))
        archives = PlaneArchives(self.settings.archives)
        self.driver = LocalDriver(self.settings)
        readers = {"local": self.driver}
        self.platform = replace(
            Platform(self.store, ring), offered=offered, archives=archives, log_readers=readers
        )
        self.api = Api(self.platform, organization, Time(utc_now()))
        self.reconciler = Reconciler(self.store, ring, {"local": self.driver})

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        answer = self.api.owner.request(method, f"/v1/deployments{path}", json=body or None)
        assert answer.status_code < 300, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def carry_out(self) -> None:
        self.reconciler.carry_out_all()

    def send(self, name: str, archive: tuple[str, bytes]) -> str:
        """Its digest."""
        answer = self.api.owner.put(f"/v1/deployments/{name}/archives/{archive[0]}", content=archive[1])
        assert answer.status_code == 200, answer.text
        return archive[0]

    def code(self, slug: str) -> list[Path]:
        """What is deployed to it on this machine."""
        return sorted((self.home / "local" / "code" / slug).glob("*"))

    def plugin(self, slug: str) -> str:
        """The text of the plugin that its processes have, all of them."""
        [folder] = {one.environ().get("AIRFLOW__CORE__PLUGINS_FOLDER", "") for one in self.processes(slug)}
        return (Path(folder) / "plugin.py").read_text() if folder else ""

    def deployment(self, name: str = "sales") -> dict[str, Any]:
        return self.ask("GET", f"/{name}")

    def last_operation(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.owner.get("/v1/operations?limit=1").json()["items"][0]
        return found

    def processes(self, slug: str) -> list[psutil.Process]:
        found, below = [], (self.home / "local" / "deployments" / slug).resolve()
        for one in psutil.process_iter():
            try:
                if Path(one.cwd()) == below and one.status() != psutil.STATUS_ZOMBIE:
                    found.append(one)
            except psutil.Error:
                continue
        return found

    def head(self, slug: str) -> str:
        with sqlite3.connect(self.home / "local" / "deployments" / slug / "airflow.db") as database:
            return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])

    def readyz(self, slug: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.ports[0]}/{slug}/remote-execution/v1/readyz", timeout=10)

    def end(self) -> None:
        for directory in (self.home / "local" / "deployments").glob("*"):
            for one in self.processes(directory.name):
                one.kill()
        Processes(str(self.home / "local")).stop_all(grace=40)
        self.store.engine.dispose()


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with directories.short() as home:
        made = Machine(home)
        try:
            yield made
        finally:
            made.end()


ALL = frozenset({"create", "upgrade", "deploy", "hibernate", "wake", "delete", "purge"})


def live(machine: Machine, name: str, carry_out: Callable[[str], None], only: frozenset[str] = ALL) -> str:
    """Create, upgrade, deploy, hibernate, wake, delete, purge, and what of these is asked for has to follow; returns its slug."""
    machine.ask("POST", "", name=name, version=OLD)
    carry_out("create")
    slug: str = machine.deployment(name)["slug"]
    assert len(machine.processes(slug)) == 2 and machine.readyz(slug).status_code == 200
    if "upgrade" in only:
        machine.ask("POST", f"/{name}/upgrade", version=NEW)
        carry_out("upgrade")
        assert machine.deployment(name)["version"] == machine.head(slug) == NEW
        assert len(machine.processes(slug)) == 2 and machine.readyz(slug).status_code == 200
    if "deploy" in only:
        code = plane_archive.made("ONE = 1\n", airflow=machine.deployment(name)["version"])
        machine.ask("POST", f"/{name}/deploys", digest=machine.send(name, code))
        carry_out("deploy")
        assert machine.plugin(slug) == "ONE = 1\n" and machine.readyz(slug).status_code == 200
        assert len(machine.processes(slug)) == 2 and len(machine.code(slug)) == 1
    if only & {"hibernate", "wake"}:
        machine.ask("POST", f"/{name}/hibernate", **{"deadline_seconds": 60})
        carry_out("hibernate")
        assert machine.processes(slug) == [] and machine.readyz(slug).status_code == 503
        machine.ask("POST", f"/{name}/wake", until=None)
        carry_out("wake")
        assert len(machine.processes(slug)) == 2 and machine.readyz(slug).status_code == 200
    machine.ask("DELETE", f"/{name}")
    carry_out("delete")
    assert machine.processes(slug) == [] and machine.readyz(slug).status_code == 404
    id = machine.deployment(name)["id"]
    machine.ask("POST", f"/{id}/purge", name=name)
    carry_out("purge")
    assert machine.ask("GET", f"/{id}")["phase"] == "purged"
    assert list((machine.home / "local").rglob(f"*{slug}*")) == []
    return slug


def test_a_deployment_lives_from_its_creation_to_its_purge(machine: Machine) -> None:
    live(machine, "whole", lambda kind: machine.carry_out())


def test_scenario_13_a_migration_that_fails_is_undone_by_itself(machine: Machine) -> None:
    machine.ask("POST", "", name="poisoned", version=OLD)
    machine.carry_out()
    slug = machine.deployment("poisoned")["slug"]
    poison = machine.home / NEW / "poison"
    poison.touch()
    machine.ask("POST", "/poisoned/upgrade", version=NEW)
    machine.carry_out()
    poison.unlink()
    failed = machine.last_operation()
    assert (failed["state"], failed["error"].partition(":")[0]) == ("failed", "migrate")
    assert "poisoned" in failed["error"]
    found = machine.deployment("poisoned")
    assert (found["phase"], found["version"], machine.head(slug)) == ("running", OLD, OLD)
    with sqlite3.connect(machine.home / "local" / "deployments" / slug / "airflow.db") as database:
        assert database.execute("SELECT count(*) FROM dag_run").fetchone() == (0,)
    assert machine.readyz(slug).status_code == 200 and len(machine.processes(slug)) == 2


def test_scenario_27_code_that_does_not_serve_is_undone_by_itself_and_a_roll_back_brings_code_back(
    machine: Machine,
) -> None:
    machine.ask("POST", "", name="coded")
    machine.carry_out()
    slug = machine.deployment("coded")["slug"]
    one, two = (plane_archive.made(f"N = {number}\n") for number in (1, 2))
    for archive in (one, two):
        machine.ask("POST", "/coded/deploys", digest=machine.send("coded", archive))
        machine.carry_out()
        assert machine.last_operation()["state"] == "succeeded", machine.last_operation()
    assert machine.plugin(slug) == "N = 2\n" and len(machine.code(slug)) == 2

    wrong = {"raise ValueError\n": "check code", "crash = True\n": "probe inside"}
    for text, step in wrong.items():
        pids = {one.pid for one in machine.processes(slug)}
        machine.ask("POST", "/coded/deploys", digest=machine.send("coded", plane_archive.made(text)))
        machine.carry_out()
        failed = machine.last_operation()
        assert (failed["state"], failed["error"].partition(":")[0]) == ("failed", step)
        found = machine.deployment("coded")
        assert (found["phase"], machine.plugin(slug)) == ("running", "N = 2\n")
        assert machine.readyz(slug).status_code == 200 and len(machine.processes(slug)) == 2
        if step == "check code":
            assert {one.pid for one in machine.processes(slug)} == pids, "nothing was stopped for it"

    machine.ask("POST", "/coded/deploys/roll-back", description="back")
    machine.carry_out()
    assert machine.last_operation()["state"] == "succeeded" and machine.plugin(slug) == "N = 1\n"
    (own,) = [line for line in machine.ask("GET", "/coded/deploys")["items"] if line["is_current"]]
    assert own["digest"] == one[0]


def test_scenario_27_code_of_another_version_needs_an_upgrade_and_comes_with_a_backup(
    machine: Machine,
) -> None:
    machine.ask("POST", "", name="newer", version=OLD)
    machine.carry_out()
    slug = machine.deployment("newer")["slug"]
    digest = machine.send("newer", plane_archive.made("NEW = 1\n", airflow=NEW))
    machine.ask("POST", "/newer/deploys", digest=digest)
    machine.carry_out()
    refused = machine.last_operation()
    assert refused["error"].startswith(
        "check code: the database would have to be migrated: alembic_version is 3.3.0"
    )
    assert machine.deployment("newer")["phase"] == "running" and machine.plugin(slug) == ""
    machine.ask("POST", "/newer/deploys", digest=digest, upgrade=True)
    machine.carry_out()
    assert machine.last_operation()["state"] == "succeeded", machine.last_operation()
    assert machine.head(slug) == NEW and machine.plugin(slug) == "NEW = 1\n"
    [backup] = machine.ask("GET", "/newer/backups")["items"]
    machine.ask("POST", f"/newer/backups/{backup['id']}/restore", accept_loss=True)
    machine.carry_out()
    assert machine.last_operation()["state"] == "succeeded", machine.last_operation()
    assert machine.head(slug) == OLD and machine.plugin(slug) == ""


def test_an_archive_that_was_changed_on_the_machine_is_not_deployed(machine: Machine) -> None:
    machine.ask("POST", "", name="changed")
    machine.carry_out()
    slug = machine.deployment("changed")["slug"]
    digest = machine.send("changed", plane_archive.made("A = 1\n"))
    with machine.platform.archives.opened(slug, digest) as kept:  # type: ignore[union-attr]
        Path(kept.name).write_bytes(plane_archive.made("A = 2\n")[1])
    machine.ask("POST", "/changed/deploys", digest=digest)
    machine.carry_out()
    assert "was changed on this machine" in machine.last_operation()["error"]
    assert machine.plugin(slug) == "" and machine.deployment("changed")["phase"] == "running"


def test_scenario_14_a_backup_is_restored_once_its_loss_is_accepted(machine: Machine) -> None:
    machine.ask("POST", "", name="restored", version=OLD)
    machine.carry_out()
    slug = machine.deployment("restored")["slug"]
    machine.ask("POST", "/restored/upgrade", version=NEW)
    machine.carry_out()
    [backup] = machine.ask("GET", "/restored/backups")["items"]
    assert backup["heads"] == {"alembic_version": OLD} and backup["size"] > 0
    with sqlite3.connect(machine.home / "local" / "deployments" / slug / "airflow.db") as database:
        database.execute("INSERT INTO dag_run VALUES ('since')")
    path = f"/restored/backups/{backup['id']}/restore"
    machine.ask("POST", path, accept_loss=False)
    machine.carry_out()
    assert "1 runs since" in machine.last_operation()["error"]
    assert machine.deployment("restored")["phase"] == "running" and machine.readyz(slug).status_code == 200
    machine.ask("POST", path, accept_loss=True)
    machine.carry_out()
    assert machine.last_operation()["state"] == "succeeded", machine.last_operation()["error"]
    assert machine.deployment("restored")["version"] == machine.head(slug) == OLD
    stored = list((machine.home / "local" / "backups" / slug).glob("*"))
    assert stored and not [one for one in stored if b"CREATE TABLE" in one.read_bytes()]


def test_scenario_10_an_api_server_that_is_killed_is_back_and_one_that_crashes_says_its_last_lines(
    machine: Machine,
) -> None:
    machine.ask("POST", "", name="killed", version=OLD)
    machine.carry_out()
    slug = machine.deployment("killed")["slug"]

    def api_server() -> psutil.Process | None:
        return next((one for one in machine.processes(slug) if "api-server" in one.cmdline()), None)

    before = api_server()
    assert before is not None
    before.kill()
    before.wait(10)
    machine.reconciler.observer.observe_all()
    wait_until(lambda: machine.readyz(slug).status_code == 200, timeout=15, what="it is back")

    crash = machine.home / OLD / "crash"
    crash.touch()
    try:
        last = api_server()
        assert last is not None
        last.kill()

        def broken() -> bool:
            machine.reconciler.observer.observe_all()
            return "ends again and again" in machine.deployment("killed")["health_reason"]

        wait_until(broken, timeout=60, what="it is broken")
    finally:
        crash.unlink()
    found = machine.deployment("killed")
    assert found["health"] == "unhealthy" and "has no room to start" in found["health_reason"]
    assert len(machine.processes(slug)) == 1, "the scheduler goes on"
    log = machine.ask("GET", "/killed/logs/api-server?lines=3")
    assert "has no room to start" in "".join(log["lines"]) and len(log["lines"]) <= 3
    assert log["source"].startswith(f"{machine.home}/local/deployments/{slug}/logs/api-server-1.log on ")


def test_scenario_28_what_eject_writes_runs_a_deployment_without_the_platform(machine: Machine) -> None:
    machine.ask("POST", "", name="ejected", version=OLD)
    machine.carry_out()
    machine.ask("PUT", "/ejected/variables/REGION", value="eu it's")
    slug, target = machine.deployment("ejected")["slug"], machine.home / "units"
    named = [part for python in machine.pythons.values() for part in ("--plane-python", str(python))]
    command = ["platform", "eject", "--home", str(machine.home), "--to", str(target), *named]
    done = CliRunner().invoke(main, [*command, "--first-user", "0"] if os.geteuid() == 0 else command)
    assert done.exit_code == 0, done.output
    assert {one.suffix for one in target.iterdir()} == {".env", ".service", ".sh"}
    assert not [one for one in target.iterdir() if one.stat().st_mode & 0o077]
    for one in machine.processes(slug):
        one.kill()
    wait_until(lambda: not machine.processes(slug), timeout=30, what="nothing of it runs")
    started = [
        subprocess.Popen(["sh", str(target / f"tradewind-{slug}-{name}.sh")], start_new_session=True)
        for name in ("api-server", "scheduler")
    ]
    try:
        wait_until(lambda: machine.readyz(slug).status_code == 200, timeout=60, what="it serves")
        environments = [one.environ() for one in machine.processes(slug)]
        assert {one["REGION"] for one in environments} == {"eu it's"}
        managers = {one["AIRFLOW__CORE__AUTH_MANAGER"].rpartition(".")[2] for one in environments}
        assert (managers, {one["AIRFLOW__TRADEWIND__MANAGED_BY"] for one in environments}) == (
            {"SimpleAuthManager"},
            {""},
        ), "people sign in without the platform"
        passwords = Path(environments[0]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
        assert passwords.stat().st_mode & 0o077 == 0 and list(json.loads(passwords.read_text())) == ["admin"]
        unit = (target / f"tradewind-{slug}-api-server.service").read_text()
        assert f"ExecStart={machine.pythons[OLD]} -m airflow api-server" in unit and "Restart=always" in unit
    finally:
        for one in started:
            one.kill()
            one.wait()


@pytest.mark.faults
@pytest.mark.timeout(1500)
def test_scenario_11_the_platform_killed_at_every_point_converges_with_nothing_twice_and_nothing_left(
    machine: Machine,
) -> None:
    killed = dict.fromkeys(ALL, 0)
    left = ALL
    dying = DyingReconcilers(machine.home, machine.ports, machine.pythons)
    try:
        for point in itertools.count():
            ended: set[str] = set()

            def carry_out(
                kind: str, point: int = point, left: frozenset[str] = left, ended: set[str] = ended
            ) -> None:
                """By a process that dies at its point of that number, where it has so many; another one goes on."""
                if kind in left:
                    if dying.carry_out(point):
                        killed[kind] += 1
                    else:
                        ended.add(kind)
                machine.carry_out()
                assert machine.last_operation()["state"] == "succeeded", machine.last_operation()

            live(machine, f"killed-{point}", carry_out, left)
            if not (left := left - ended):
                break
    finally:
        dying.end()
    print({kind: f"killed at {count} points" for kind, count in sorted(killed.items())})
    # Before and after each step, and after each process that was started: three in a new Deployment, with the gateway.
    driver = machine.driver
    least = {kind: 2 * len(driver.steps(Kind(kind))) for kind in ALL}
    assert all(killed[kind] >= count for kind, count in least.items()), (killed, least)
