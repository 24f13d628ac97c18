"""Airflow's own example Dags, unchanged, end on an agent as they end under LocalExecutor on the same machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from support import examples, postgresql
from support.airflow_rest import ENDED, AirflowRest, Run
from support.deployment import run_site
from support.installed import plane_settings
from tradewind.embedded import plane

SEEDED = Path(__file__).parents[1] / "support" / "seeded"

TIMEOUT = 180.0
"""Seconds in which at least one more of them has to end. All of them together usually take two minutes on two cores."""


def settings(home: Path, database: str, **more: object) -> plane.PlaneSettings:
    return plane_settings(
        home=home,
        database=database,
        options={
            "core": {"plugins_folder": str(examples.PLUGINS), "parallelism": "12"},
            "scheduler": {"scheduler_idle_sleep_time": "0.5", "max_dagruns_to_create_per_loop": "100"},
            **more.pop("options", {}),  # type: ignore[dict-item]
        },
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture(autouse=True)
def dice_fall_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SEEDED))


def under_local_executor(home: Path, database: str) -> Mapping[str, Run]:
    processor = {"dag_bundle_config_list": examples.bundles_json()}
    stock = settings(
        home, database, stock=True, executor="LocalExecutor", options={"dag_processor": processor}
    )
    with plane.Plane(stock) as running, running.client() as http:
        return run_them(AirflowRest(http))


def on_an_agent(home: Path, database: str) -> Mapping[str, Run]:
    site = {
        "PYTHONPATH": str(SEEDED),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(examples.PLUGINS),
    }
    options = {"bundles": examples.bundles()}
    with plane.Plane(settings(home / "plane", database)) as running, running.client() as http:
        with run_site(home / "site", running, site=site, dags=None, options=options):
            return run_them(AirflowRest(http))


def run_them(rest: AirflowRest) -> Mapping[str, Run]:
    found = examples.wait_for_all(rest, timeout=240)
    crowd = found - examples.LEFT_OUT.keys() - examples.ALONE
    ended = examples.run_all(rest, sorted(crowd), timeout=TIMEOUT)
    return {**ended, **examples.run_all(rest, sorted(examples.ALONE), timeout=120)}


@pytest.mark.timeout(1800)
def test_each_example_ends_in_the_same_states_as_under_local_executor(
    directory: Path, postgresql_server: postgresql.PostgreSQL
) -> None:
    local = under_local_executor(directory / "local", postgresql_server.new_database())
    remote = on_an_agent(directory / "remote", postgresql_server.new_database())
    assert len(local) > 60
    assert remote.keys() == local.keys()
    differences = [
        f"{dag_id}: {said}"
        for dag_id in sorted(local.keys() - examples.DIFFERENT.keys())
        for said in examples.difference(local[dag_id], remote[dag_id])
    ]
    assert not differences, "\n".join(differences)
    unended = [dag_id for dag_id, run in local.items() if run.state not in ENDED]
    assert not unended
