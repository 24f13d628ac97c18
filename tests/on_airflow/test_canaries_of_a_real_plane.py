"""Canaries on a real plane with real agents: one queue goes all the way, one is barred by a rule, one loses its agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.airflow_rest import eventually
from support.deployment import run_site
from support.installed import plane_settings
from tradewind.embedded import plane


def queues(http: Any) -> dict[str, dict[str, Any]]:
    answer = http.get("/tradewind/v1/queues")
    assert answer.is_success, answer.text
    return {one["queue"]: one.get("canary") or {} for one in answer.json()["items"]}


@pytest.mark.timeout(300)
def test_each_queue_names_the_part_of_the_way_that_fails(directory: Path) -> None:
    settings = plane_settings(
        home=directory / "tried",
        options={"tradewind": {"canary_interval_seconds": "5", "sweep_seconds": "1"}},
    )
    with plane.Plane(settings) as running, running.client() as http:
        barred = {"queues": ["barred"], "rules": {"queues": ["other"]}}
        with (
            run_site(directory / "good", running, name="good", dags=None, options={"queues": ["good"]}),
            run_site(directory / "barred", running, name="barred", dags=None, options=barred),
            run_site(directory / "gone", running, name="gone", dags=None, options={"queues": ["gone"]}) as (
                leaving,
                _,
            ),
        ):
            eventually(
                lambda: all(queues(http).get(one) for one in ("good", "barred", "gone")),
                timeout=100,
                what=lambda: str(queues(http)),
            )
            leaving.stop()
            eventually(
                lambda: queues(http)["gone"].get("hop") == "claim",
                timeout=90,
                what=lambda: str(queues(http)),
            )
            found = queues(http)
        assert found["good"]["result"] == "ok", found
        assert set(found["good"]["seconds"]) == {"claim", "start", "log", "finish"}
        assert (found["barred"]["hop"], found["barred"]["rule"]) == ("claim", "queues")
        assert found["barred"]["agent"] == "barred"
        assert "serves the queue" in found["gone"]["reason"]
        runs = http.get("/api/v2/dags/~/dagRuns/~/taskInstances")
        assert runs.json()["total_entries"] == 0, "no table of Airflow's has a row of a canary"
