"""What Prometheus is told of an organization."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import create_engine

from support.http_client import Client
from support.platform_parts import Api, Reconciled
from tradewind_platform.api.app import create_app
from tradewind_platform.domain.roles import Role
from tradewind_platform.reconciler.driver import StepFailed
from tradewind_platform.services import deployment_credentials, secrets
from tradewind_platform.services.metrics import METRICS
from tradewind_platform.store.sessions import Store
from tradewind_protocol.access import WORKLOAD_PATH
from tradewind_protocol.controllers import PREFIX

SALES = 'workspace="default",deployment="sales"'
BUSY = {"agents": 3, "healthy_agents": 2, "running": 5, "queued": 7, "access_age": 30}


def tell(reconciled: Reconciled, deployment: str) -> None:
    """The Airflow of a Deployment tells what it has."""
    with reconciled.platform.store.reading(reconciled.organization) as db:
        found = secrets.of(db, reconciled.platform.ring, UUID(deployment))
    caller = reconciled.caller(found[deployment_credentials.SECRET])
    assert caller.put(WORKLOAD_PATH.format(deployment=deployment), json=BUSY).status_code == 204


def scraped(reconciled: Reconciled) -> dict[str, float]:
    """The value of each series, by its name without the prefix."""
    answer = reconciled.owner.get("/v1/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        found[1]: float(found[2])
        for found in re.finditer(r"^tradewind_platform_(\S.*) (\S+)$", answer.text, re.MULTILINE)
    }


def now(reconciled: Reconciled) -> float:
    return reconciled.time.now.timestamp()


def carried_out(reconciled: Reconciled) -> None:
    reconciled.reconciler.carry_out_all()
    reconciled.reconciler.observer.observe_all()


def test_deployments_are_counted_by_phase_and_health(reconciled: Reconciled) -> None:
    for name in ("sales", "ops", "lab"):
        reconciled.created(name)
    reconciled.owner.post("/v1/deployments/lab/hibernate", json={})
    carried_out(reconciled)
    found = scraped(reconciled)
    assert {key: value for key, value in found.items() if key.startswith("deployments")} == {
        'deployments{phase="running",health="healthy"}': 2,
        'deployments{phase="asleep",health="asleep"}': 1,
    }
    assert found['build_info{version="0.1.0"}'] == 1


def test_a_condition_that_is_false_is_told_with_the_moment_until_it_is_true(reconciled: Reconciled) -> None:
    slug = reconciled.created("sales")["slug"]
    series = f'condition_false_timestamp_seconds{{{SALES},condition="RouteServed"}}'
    assert not [key for key in scraped(reconciled) if key.startswith("condition_false")]
    reconciled.time.pass_(minutes=3)
    reconciled.driver.cluster.end(slug, "route")
    reconciled.reconciler.observer.observe_all()
    since = now(reconciled)
    reconciled.time.pass_(minutes=3)
    reconciled.reconciler.observer.observe_all()
    found = scraped(reconciled)
    assert found[series] == since
    assert found['deployments{phase="running",health="unhealthy"}'] == 1
    reconciled.driver.cluster.make(slug, "route")
    reconciled.reconciler.observer.observe_all()
    assert series not in scraped(reconciled)


def test_what_sleeps_lacks_no_route(reconciled: Reconciled) -> None:
    reconciled.created("sales")
    reconciled.owner.post("/v1/deployments/sales/hibernate", json={})
    carried_out(reconciled)
    reconciled.reconciler.observer.observe_all()
    assert not [key for key in scraped(reconciled) if key.startswith("condition_false")]


def test_an_operation_is_told_until_it_has_ended(reconciled: Reconciled) -> None:
    reconciled.created("sales")
    reconciled.owner.post("/v1/deployments/sales/hibernate", json={})
    asked, series = now(reconciled), f'operation_begun_timestamp_seconds{{{SALES},kind="hibernate"}}'
    reconciled.time.pass_(minutes=1)
    assert scraped(reconciled)[series] == asked
    carried_out(reconciled)
    assert series not in scraped(reconciled)


def test_an_operation_that_failed_is_told_for_a_day_or_until_one_of_its_kind_succeeds(
    reconciled: Reconciled,
) -> None:
    reconciled.created("sales")
    failed, newest = (
        f'operation_failed_timestamp_seconds{{{SALES},kind="backup"}}',
        f"backup_timestamp_seconds{{{SALES}}}",
    )

    def back_up() -> None:
        reconciled.time.pass_(hours=1)
        assert reconciled.owner.post("/v1/deployments/sales/backups", json={}).is_success
        carried_out(reconciled)

    reconciled.driver.failing["back_up"] = StepFailed("the disk is full", final=True)
    back_up()
    found = scraped(reconciled)
    assert found[failed] == now(reconciled)
    assert newest not in found
    reconciled.driver.failing.clear()
    back_up()
    found = scraped(reconciled)
    assert failed not in found
    assert found[newest] == now(reconciled)
    reconciled.driver.failing["back_up"] = StepFailed("the disk is full", final=True)
    back_up()
    assert failed in scraped(reconciled)
    reconciled.time.pass_(days=1)
    assert failed not in scraped(reconciled)


def test_agents_and_tasks_of_a_deployment_are_those_that_it_has_told(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")["id"]
    tell(reconciled, sales)
    expected = {
        f'agents{{{SALES},state="healthy"}}': 2,
        f'agents{{{SALES},state="other"}}': 1,
        f'tasks{{{SALES},state="running"}}': 5,
        f'tasks{{{SALES},state="queued"}}': 7,
    }
    heard, series = now(reconciled) - 30, f"access_timestamp_seconds{{{SALES}}}"
    assert expected.items() <= scraped(reconciled).items()
    assert scraped(reconciled)[series] == heard
    reconciled.time.pass_(minutes=15)
    found = scraped(reconciled)
    assert not expected.keys() & found.keys(), "it is heard of no more"
    assert found[series] == heard, "and that is what an alert needs"


def test_a_controller_is_told_with_the_moment_at_which_it_asked_last(reconciled: Reconciled) -> None:
    ask = {"name": "north", "agents_host": "{id}.example.com", "people_domain": "{id}.apps.example.com"}
    token = reconciled.owner.post("/v1/clusters", json=ask).json()["token"]
    assert 'controller_timestamp_seconds{cluster="north"}' not in scraped(reconciled)
    poll = {"instance": str(UUID(int=1)), "driver": "kubernetes", "wait_seconds": 0}
    assert reconciled.caller(token).post(f"{PREFIX}/poll", json=poll).status_code == 200
    asked = now(reconciled)
    reconciled.time.pass_(minutes=5)
    assert scraped(reconciled)['controller_timestamp_seconds{cluster="north"}'] == asked


def test_an_api_token_is_told_with_its_end_until_an_hour_after_it(reconciled: Reconciled) -> None:
    ask = {"name": "ci", "role": "workspace_viewer", "workspace": "default", "expires_in_days": 1}
    assert reconciled.owner.post("/v1/api-tokens", json=ask).status_code == 201
    series = 'api_token_expiry_timestamp_seconds{token="ci"}'
    end = now(reconciled) + 86400
    assert scraped(reconciled)[series] == end
    reconciled.time.pass_(days=1, minutes=59)
    assert scraped(reconciled)[series] == end
    reconciled.time.pass_(minutes=1)
    assert series not in scraped(reconciled)


@pytest.mark.parametrize("role", [Role.ORGANIZATION_MEMBER, Role.WORKSPACE_OWNER], ids=lambda one: one.value)
def test_who_may_not_read_the_organization_gets_none(reconciled: Reconciled, role: Role) -> None:
    scope = {"workspace": "default"} if role is Role.WORKSPACE_OWNER else {}
    assert reconciled.with_role(role, **scope).get("/v1/metrics").status_code == 403
    assert reconciled.with_role(Role.ORGANIZATION_AUDITOR).get("/v1/metrics").status_code == 200


def test_many_deployments_take_as_many_queries_as_few(reconciled: Reconciled) -> None:
    def asked() -> int:
        with reconciled.statements() as statements:
            scraped(reconciled)
        return len(statements)

    for name in ("sales", "ops"):
        tell(reconciled, reconciled.created(name)["id"])
    asked()  # the first request of a caller notes that its token was used
    few = asked()
    for number in range(6):
        tell(reconciled, reconciled.created(f"more-{number}")["id"])
    assert asked() == few


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian's package prometheus)")
def test_promtool_takes_what_is_told(reconciled: Reconciled) -> None:
    tell(reconciled, reconciled.created("sales")["id"])
    text = reconciled.owner.get("/v1/metrics").text
    assert all(f"# TYPE {one.name} {one.kind}\n" in text for one in METRICS)
    told = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")


def test_a_probe_needs_no_credential_and_says_whether_the_database_answers(api: Api, tmp_path: Path) -> None:
    ready = api.caller(None).get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    away = Store(create_engine(f"sqlite:///{tmp_path}/no-folder/platform.db"))
    app = create_app(replace(api.platform, store=away))
    answer = Client(app, raise_server_exceptions=False).get("/readyz")
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert Client(app).get("/healthz").status_code == 200
