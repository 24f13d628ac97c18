"""A site whose owner has cluster policies, an XCom backend, a timetable and a priority strategy. The plane has the latter two."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from on_airflow.sites.site import DAGS, Planes, Site, one_agent
from support.airflow_rest import eventually
from support.deployment import JOURNAL
from tradewind.embedded.agent import local_bundle

OWNERS = Path(__file__).parent / "owners"


@contextmanager
def running(planes: Planes, home: Path) -> Iterator[Site]:
    plugged = {"plugins_folder": str(OWNERS / "plugins")}
    plane = planes.plane(
        "owners-code", variables={"PYTHONPATH": str(OWNERS / "planes_modules")}, options={"core": plugged}
    )
    variables = {
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(OWNERS / "plugins"),
        "AIRFLOW__CORE__XCOM_BACKEND": "owners_xcom.OwnersXCom",
        "OWNERS_VALUES": str(home / "values"),
        "PYTHONPATH": os.pathsep.join([str(OWNERS / "modules"), str(DAGS), JOURNAL]),
    }
    bundles = [local_bundle("owned", DAGS), local_bundle("owners", OWNERS / "dags")]
    with one_agent(plane, home, "owned", variables=variables, options={"bundles": bundles}) as site:
        site.also = lambda site: what_the_owner_has_applies(site, home / "values")
        yield site


def what_the_owner_has_applies(site: Site, values: Path) -> None:
    site.run("promises")
    assert list(values.iterdir())
    site.rest.wait_for_dags(["owners_own"])
    run = site.rest.run("owners_own", timeout=120, logical_date="2026-03-02T00:00:00Z")
    assert run.state == "success", run
    instances = {each["task_id"]: each for each in site.rest.task_instances(run.dag_id, run.run_id)}
    assert instances["tried_again_by_policy"]["try_number"] == 2
    assert instances["mutated_by_the_plane"]["pool_slots"] == 2
    assert instances["urgent"]["priority_weight"] == 42
    assert site.rest.get("/dags/owners_own/details")["max_active_runs"] == 3
    assert [each["days"] for each in site.journal("interval")] == [3]
    assert [each["metadata"] for each in site.journal("pod")] == [{"labels": {"of": "the-owner"}}]
    assert [each["task"] for each in site.journal("context")] == ["sees_the_context"]

    def refusals() -> list[str]:
        return [each["stack_trace"] for each in site.rest.import_errors() if each["bundle_name"] == "owners"]

    eventually(lambda: bool(refusals()), timeout=60, what="the refused Dag is an import error")
    [shown] = refusals()
    assert "owners_refused breaks a rule of the site's owner" in shown
