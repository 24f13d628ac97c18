"""An agent is killed, and a real Prometheus with the rules we ship says so, from a real plane's metrics."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import prometheus
from support.airflow_rest import AirflowRest, eventually
from support.deployment import Deployment, new_token, run_site
from support.installed import plane_settings
from support.prometheus import Prometheus
from tradewind.embedded import plane

pytestmark = pytest.mark.skipif(
    not prometheus.available(), reason="needs Prometheus: `make prometheus` installs it"
)


@dataclass
class Watched(Deployment):
    """A plane that is scraped."""

    prometheus: Prometheus

    def wait_for_alert(self, name: str, *, timeout: float = 60) -> dict[str, Any]:
        eventually(
            lambda: name in self.prometheus.firing(),
            timeout=timeout,
            what=lambda: f"{name} fires; there are {self.prometheus.firing()}",
        )
        return self.prometheus.firing()[name]


@pytest.fixture(scope="module")
def watched(directory: Path, database_server: Any) -> Iterator[Watched]:
    home = directory / "alerts"
    settings = plane_settings(
        home=home / "plane",
        database=database_server.new_database() if database_server else None,
        options={
            "scheduler": {"scheduler_idle_sleep_time": "0.5"},
            "tradewind": {"poll_seconds": "2", "sweep_seconds": "1"},
        },
    )
    with plane.Plane(settings) as running, running.client() as http:
        token = new_token(running, "scraper")
        with (
            prometheus.scraping(home / "prometheus", plane=running.url, token=token) as server,
            run_site(home / "site", running, name="eu-1") as (agent, site),
        ):
            rest = AirflowRest(http)
            rest.wait_for_dags(["long", "hello"])
            yield Watched(running, agent, site, rest, server)


@pytest.mark.timeout(400)
def test_a_killed_agent_is_told_of_by_name_until_it_is_back(watched: Watched) -> None:
    assert "TradewindAgentLost" not in watched.prometheus.firing()
    run_id = watched.rest.trigger("long")
    watched.rest.wait_for_task("long", run_id, "sleeper", ["running"])
    watched.agent.process.signal(signal.SIGKILL)

    alert = watched.wait_for_alert("TradewindAgentLost")
    assert (alert["labels"]["agent"], alert["labels"]["site"]) == ("eu-1", "default")
    assert alert["annotations"]["summary"] == "Agent eu-1 of site default is lost"
    assert "UTC" in alert["annotations"]["description"], "since when"
    broken = watched.wait_for_alert("TradewindAttemptsBroken")
    assert broken["labels"]["process"] == "lost"

    # What is queued meanwhile waits in a queue that nobody serves.
    watched.rest.trigger("hello")
    assert watched.wait_for_alert("TradewindQueueNobodyServes")["labels"]["queue"] == "default"

    watched.agent.stop()
    watched.agent.start()
    eventually(
        lambda: not {"TradewindAgentLost", "TradewindQueueNobodyServes"} & watched.prometheus.firing().keys(),
        timeout=90,
        what=lambda: f"the alerts end when it is back: {watched.prometheus.firing()}",
    )
