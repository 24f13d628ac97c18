"""The doctor names what is wrong with a platform, why, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from support.platform_database import new_file
from support.platform_parts import NOW, Reconciled
from tradewind_platform.clock import utc_now
from tradewind_platform.commands import platform as command
from tradewind_platform.doctor import database, deployments, installer, network
from tradewind_platform.home import PlatformSettings, alone, opened
from tradewind_platform.reconciler.driver import StepFailed
from tradewind_platform.services import workloads
from tradewind_platform.store.deploy_tables import Deploy
from tradewind_platform.store.sessions import open_engine
from tradewind_platform.store.tables import Cluster, Deployment, Operation
from tradewind_protocol import access
from tradewind_protocol.checks import Result, Verdict


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(0o711)
    new_file(made / "platform.db")
    with opened(PlatformSettings(made)):
        pass
    return made


@pytest.fixture
def asked() -> list[str]:
    """The paths that `site` was asked for."""
    return []


@pytest.fixture
def site(asked: list[str]) -> Iterator[str]:
    """The address of a server that is whatever is asked for: the platform, and the gateway of a cluster."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            known = self.path.endswith(("/healthz", "/readyz"))
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(b"ok" if known else b"404 page not found\n")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def examined(home: Path, url: str, *, exit_code: int) -> dict[str, dict[str, str]]:
    done = CliRunner().invoke(command, ["doctor", "--home", str(home), "--url", url, "--json"])
    assert done.exit_code == exit_code, done.output
    return {one["check"]: one for one in json.loads(done.stdout)["results"]}


def test_a_platform_that_runs_is_well(home: Path, site: str) -> None:
    with alone(PlatformSettings(home)):
        found = examined(home, site, exit_code=0)
    assert {one["verdict"] for one in found.values()} == {"ok", "skipped"}
    assert {"disk", "database", "leader", "platform", "clock", "keys"} <= set(found)


def test_an_address_is_asked_once(home: Path, site: str, asked: list[str]) -> None:
    with alone(PlatformSettings(home)):
        examined(home, site, exit_code=0)
    assert sorted(asked) == sorted(set(asked)) and "/healthz" in asked


def test_a_platform_that_is_stopped_is_named_with_the_command_that_starts_it(home: Path) -> None:
    found = examined(home, "http://127.0.0.1:1", exit_code=1)
    for check in ("leader", "platform"):
        assert (found[check]["verdict"], found[check]["remedy"]) == ("failed", "tradewind platform run")


def test_a_table_for_people_names_each_check(home: Path) -> None:
    done = CliRunner().invoke(command, ["doctor", "--home", str(home), "--url", "http://127.0.0.1:1"])
    assert done.exit_code == 1
    assert "CHECK" in done.output and "no platform runs in" in done.output


def test_tables_of_another_version_are_named_and_not_migrated(home: Path) -> None:
    engine = open_engine(f"sqlite:///{home}/platform.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    found = examined(home, "http://127.0.0.1:1", exit_code=1)
    assert "migration 0001" in found["database"]["evidence"]
    assert found["clusters and Deployments"]["verdict"] == "skipped"
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0001"
    engine.dispose()


def test_values_that_no_key_opens_and_a_readable_key_file_are_named(
    reconciled: Reconciled, tmp_path: Path
) -> None:
    reconciled.created()
    store, file = reconciled.platform.store, tmp_path / "keys"
    assert [one.verdict for one in database.keys(store, file)] == [Verdict.OK]
    file.chmod(0o644)
    assert "chmod 600" in list(database.keys(store, file))[-1].remedy
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE deployment_secret SET value = 'x' WHERE name = 'fernet'"))
    found = next(iter(database.keys(store, file)))
    assert found.verdict is Verdict.FAILED and "1 of deployment_secret" in found.evidence


def of_deployments(reconciled: Reconciled, url: str, **later: float) -> dict[str, Result]:
    with reconciled.platform.store.across_organizations() as db:
        for row in db.query(Cluster):
            row.agents_url = url
    with reconciled.platform.store.reading_all() as db:
        now = NOW + timedelta(**later)
        found = [
            *deployments.clusters_of(db, now, ca_file=None),
            *deployments.deployments_of(db, now, ca_file=None),
        ]
    return {one.check: one for one in found}


def test_a_deployment_that_is_well_wants_a_backup_only(reconciled: Reconciled, site: str) -> None:
    reconciled.created()
    found = of_deployments(reconciled, site)
    wrong = {check for check, one in found.items() if one.verdict is not Verdict.OK}
    assert wrong == {"deployment:sales:backup", "deployment:sales:access"}
    assert {"gateway:local", "deployment:sales", "deployment:sales:route"} <= set(found)
    reconciled.owner.post("/v1/deployments/sales/backups", json={})
    reconciled.reconciler.carry_out_all()
    assert of_deployments(reconciled, site)["deployment:sales:backup"].verdict is Verdict.OK
    assert "9 days" in of_deployments(reconciled, site, days=9)["deployment:sales:backup"].evidence


def test_how_old_a_deployments_replica_of_access_is_is_told(reconciled: Reconciled, site: str) -> None:
    sales = reconciled.created()["id"]
    check = "deployment:sales:access"
    assert of_deployments(reconciled, site)[check].verdict is Verdict.SKIPPED, "it has told nothing yet"

    def told(age: float | None) -> None:
        workload = access.Workload(agents=0, healthy_agents=0, running=0, queued=0, access_age=age)
        with reconciled.platform.store.transaction(reconciled.organization) as db:
            workloads.note(db, UUID(sales), workload, now=NOW)

    told(20)
    found = of_deployments(reconciled, site, seconds=60)[check]
    assert (found.verdict, found.evidence) == (
        Verdict.OK,
        "its replica of access was 20 s old, 60 s ago",
    )
    told(301)
    found = of_deployments(reconciled, site, seconds=60)[check]
    assert (found.verdict, found.evidence) == (Verdict.FAILED, "its replica of access is 361 s old")
    told(20)
    found = of_deployments(reconciled, site, minutes=16)[check]
    assert found.verdict is Verdict.FAILED and "reported last at 2026-03-01 12:00 UTC" in found.evidence
    told(None)
    assert of_deployments(reconciled, site)[check].verdict is Verdict.SKIPPED


def test_an_agent_token_near_its_end_is_named_with_what_to_do(reconciled: Reconciled, site: str) -> None:
    sales = reconciled.created()["id"]
    token = access.ExpiringToken(
        name="ci", issued_at=NOW - timedelta(days=300), expires_at=NOW + timedelta(days=20)
    )
    with reconciled.platform.store.transaction(reconciled.organization) as db:
        told = access.Workload(agents=1, healthy_agents=1, running=0, queued=0, expiring_tokens=(token,))
        workloads.note(db, UUID(sales), told, now=NOW)
    check = "deployment:sales:AgentTokensValid"
    found = of_deployments(reconciled, site)[check]
    assert found.verdict is Verdict.WARNING and "'ci' expires at 2026-03-21 12:00 UTC" in found.evidence
    assert "tokens rotate ci --expires-in-days" in found.remedy
    assert of_deployments(reconciled, site, days=11)[check].verdict is Verdict.FAILED


def test_those_who_have_less_by_a_custom_role_at_an_older_api_server_are_named(
    reconciled: Reconciled, site: str
) -> None:
    sales = reconciled.created()["id"]
    check = "deployment:sales:custom-roles"
    role = {"name": "on-call", "permissions": ["deployment.agents.get"]}
    assert reconciled.owner.post("/v1/roles", json=role).status_code == 201

    def told(**more: bool) -> None:
        workload = access.Workload(agents=0, healthy_agents=0, running=0, queued=0, **more)
        with reconciled.platform.store.transaction(reconciled.organization) as db:
            workloads.note(db, UUID(sales), workload, now=NOW)

    told()
    assert check not in of_deployments(reconciled, site), "no one has a custom role there"
    reconciled.user("eve")
    asked = {"user": "eve", "role": "on-call", "deployment": "sales"}
    assert reconciled.owner.post("/v1/role-bindings", json=asked).status_code == 201
    found = of_deployments(reconciled, site)[check]
    assert found.verdict is Verdict.WARNING and found.evidence.endswith("less than they allow: user eve")
    told(knows_permissions=True)
    assert check not in of_deployments(reconciled, site)


def test_a_condition_a_gateway_and_an_operation_that_hang_are_named(reconciled: Reconciled) -> None:
    slug = reconciled.created()["slug"]
    reconciled.driver.cluster.end(slug, "database")
    reconciled.reconciler.observer.observe_all()
    reconciled.owner.post("/v1/deployments/sales/backups", json={})
    found = of_deployments(reconciled, "http://127.0.0.1:1", hours=2)
    assert found["deployment:sales:DatabaseReady"].evidence == "The database is missing."
    assert found["gateway:local"].verdict is Verdict.FAILED
    assert "backup has not ended" in found["deployment:sales:operation"].evidence


def test_what_was_asked_for_and_is_not_applied_is_drift(reconciled: Reconciled, site: str) -> None:
    reconciled.created()
    with reconciled.platform.store.across_organizations() as db:
        for row in db.query(Deployment):
            row.revision += 1
    assert "revision 1, and 2" in of_deployments(reconciled, site)["deployment:sales:drift"].evidence


def test_a_purge_that_failed_is_named_with_what_helps(reconciled: Reconciled, site: str) -> None:
    reconciled.created()
    reconciled.owner.delete("/v1/deployments/sales")
    reconciled.reconciler.carry_out_all()
    reconciled.driver.failing["erase"] = StepFailed("no", final=True)
    reconciled.owner.post("/v1/deployments/sales/purge", json={"name": "sales"})
    reconciled.reconciler.carry_out_all()
    found = of_deployments(reconciled, site)["deployment:sales"]
    assert found.verdict is Verdict.FAILED and "a part of its data is erased" in found.evidence
    assert "tradewind deployments purge sales" in found.remedy


def test_clocks_that_differ_are_named(site: str) -> None:
    asked = network.ask(f"{site}/healthz", ca_file=None)
    near = network.clock(asked, utc_now())
    far = network.clock(asked, utc_now() + timedelta(minutes=5))
    assert near is not None and near.verdict is Verdict.OK
    assert far is not None and far.verdict is Verdict.FAILED and "+" in far.evidence


def test_uv_is_looked_for_where_code_was_deployed(
    reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> Result:
        with reconciled.platform.store.reading(reconciled.organization) as db:
            return installer.installer(db)

    made = reconciled.created()
    assert found().verdict is Verdict.SKIPPED
    with reconciled.platform.store.transaction(reconciled.organization) as db:
        operation = db.scalars(select(Operation.id)).first()
        facts = {
            "digest": "sha256:" + "0" * 64,
            "image": "",
            "airflow": "3.3.2",
            "description": "",
            "git": {},
        }
        db.add(
            Deploy(
                deployment_id=UUID(made["id"]),
                operation_id=operation,
                created_at=NOW,
                created_by="ada",
                **facts,
            )
        )
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/local/bin/{name}")
    assert (found().verdict, found().evidence.split()[0]) == (Verdict.OK, "/usr/local/bin/uv")
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    missing = found()
    assert missing.verdict is Verdict.FAILED and "pip install uv" in missing.remedy
