"""Two sites on queue `default` of a plane that runs its own Dags too: each gets its own work, and nobody another's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.airflow_rest import AirflowRest, eventually
from support.deployment import JOURNAL, run_site
from support.installed import plane_settings
from tradewind.embedded import plane
from tradewind.embedded.agent import Agent, local_bundle

DAGS = Path(__file__).parent / "dags_sites"
OF_EU = {"eu_flow", "eu_daily", "eu_late", "eu_uses"}
OF_US = {"us_flow", "us_makes", "us_uses"}

pytestmark = pytest.mark.timeout(300)


@dataclass
class Sites:
    """Agents eu-1 and eu-2 of site eu, bare of the same site without bundles, us-1 of site us; and their journals."""

    plane: plane.Plane
    rest: AirflowRest
    agents: dict[str, Agent]
    homes: dict[str, Path]

    def journal(self, event: str) -> dict[str, list[dict[str, Any]]]:
        """Who wrote that event down, with what facts."""
        found = {}
        for name, home in self.homes.items():
            file = home / "journal"
            lines = file.read_text().splitlines() if file.exists() else []
            entries = [one for one in map(json.loads, lines) if one["event"] == event]
            if entries:
                found[name] = entries
        return found

    def ask(self, path: str) -> list[dict[str, Any]]:
        with self.plane.client() as http:
            return list(http.get(f"/tradewind/v1/{path}").raise_for_status().json()["items"])


@pytest.fixture(scope="module")
def sites(directory: Path, database_server: Any) -> Iterator[Sites]:
    home = directory / "sites"
    planes = home / "plane-journal"
    planes.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as environment, ExitStack() as stack:
        environment.setenv("PYTHONPATH", JOURNAL)
        environment.setenv("SITE_JOURNAL", str(planes / "journal"))
        settings = plane_settings(
            home=home / "plane",
            database=database_server.new_database() if database_server else None,
            executor="LocalExecutor,tradewind_provider.executor.RemoteExecutor",
            stock=True,
            options={
                "core": {"parallelism": "2", "load_examples": "False"},
                "scheduler": {"scheduler_idle_sleep_time": "0.5"},
                "dag_processor": {
                    "dag_bundle_config_list": json.dumps([local_bundle("own", DAGS / "plane")])
                },
            },
        )
        running = stack.enter_context(plane.Plane(settings))
        rest = AirflowRest(stack.enter_context(running.client()))
        rest.wait_for_dags(["planes_own"])
        eu = {"bundles": [local_bundle("eu dags", DAGS / "eu")], "storage": (home / "storage").as_uri()}
        us = {"bundles": [local_bundle("us-dags", DAGS / "us"), local_bundle("own", DAGS / "posing")]}
        made: dict[str, tuple[Agent, Path]] = {}
        for name, options in (("eu-1", eu), ("eu-2", eu), ("bare", {}), ("us-1", us)):
            more = {"options": options} if options else {}
            site = run_site(
                home / name,
                running,
                name=name,
                dags=None,
                token_site="us" if name == "us-1" else "eu",
                **more,
            )
            made[name] = stack.enter_context(site)
        rest.wait_for_dags([*OF_US, *OF_EU])
        yield Sites(
            running,
            rest,
            {name: agent for name, (agent, _) in made.items()},
            {**{name: place for name, (_, place) in made.items()}, "plane": planes},
        )


def test_a_site_shares_its_bundle_and_brings_nothing_that_it_was_not_told_to(sites: Sites) -> None:
    owners = {one["name"]: one["site"] for one in sites.ask("bundles")}
    assert owners == {"eu dags": "eu", "us-dags": "us"}
    assert sites.rest.dags().keys() == {"planes_own", *OF_US, *OF_EU}
    eventually(
        lambda: (
            {one["name"]: one["state"] for one in sites.ask("agents")}
            == {"eu-1": "healthy", "eu-2": "healthy", "bare": "healthy", "us-1": "degraded"}
        ),
        timeout=60,
        what=lambda: str([(one["name"], one["state"], one["state_reason"]) for one in sites.ask("agents")]),
    )
    (us,) = [one for one in sites.ask("agents") if one["name"] == "us-1"]
    assert "bundle 'own' is one of the orchestration plane's own" in us["state_reason"]


def test_what_came_from_an_agent_runs_at_its_site_without_an_executor_named(sites: Sites) -> None:
    run = sites.rest.run("eu_flow")
    assert run.state == "success", run
    assert sum(len(entries) for entries in sites.journal("mapped").values()) == 3
    for event in ("plain", "mapped"):
        assert sites.journal(event).keys() <= {"eu-1", "eu-2"}
    assert sites.rest.run("us_flow").state == "success"
    assert sites.journal("there").keys() == {"us-1"}


def test_the_planes_own_dags_run_on_the_plane(sites: Sites) -> None:
    assert sites.rest.run("planes_own").state == "success"
    assert sites.journal("here").keys() == {"plane"}
    assert sites.journal("elsewhere") == {}


def test_a_backfill_and_a_deadline_callback_run_at_the_site(sites: Sites) -> None:
    sites.rest.unpause("eu_daily")
    sites.rest.send(
        "POST",
        "/backfills",
        {"dag_id": "eu_daily", "from_date": "2026-02-01T00:00:00Z", "to_date": "2026-02-02T00:00:00Z"},
    )
    wanted = {"2026-02-01", "2026-02-02"}

    def days() -> dict[str, str]:
        return {entry["at"]: name for name, entries in sites.journal("day").items() for entry in entries}

    eventually(lambda: wanted <= days().keys(), timeout=90, what=lambda: f"both days ran: {days()}")
    assert set(days().values()) <= {"eu-1", "eu-2"}
    sites.rest.run("eu_late")
    eventually(lambda: bool(sites.journal("late")), timeout=60, what="the callback ran")
    assert sites.journal("late").keys() <= {"eu-1", "eu-2"}


def test_an_asset_of_one_site_starts_dags_of_another_only_with_a_grant(sites: Sites) -> None:
    for dag in ("eu_uses", "us_uses"):
        sites.rest.unpause(dag)
    assert sites.rest.run("us_makes").state == "success"
    eventually(lambda: "us-1" in sites.journal("used_there"), timeout=60, what="the site's own Dag ran")
    with sites.plane.client() as http:
        logs = http.get("/api/v2/eventLogs", params={"dag_id": "eu_uses"}).raise_for_status().json()
        (told,) = [one for one in logs["event_logs"] if one["event"] == "tradewind_asset_not_consumed"]
        assert "asset 'shared' by Dag 'us_makes' of site 'us'" in told["extra"]
        assert "tradewind site-access add eu consume us" in told["extra"]
        assert sites.journal("used") == {}
        grant = {"site": "eu", "access": "consume", "other": "us"}
        http.post("/tradewind/v1/site-access", json=grant).raise_for_status()
    assert sites.rest.run("us_makes").state == "success"
    eventually(lambda: sites.journal("used").keys() & {"eu-1", "eu-2"}, timeout=60, what="it ran here too")


def test_work_of_a_site_whose_agents_are_gone_waits_and_says_for_whom(sites: Sites) -> None:
    for name in ("eu-1", "eu-2"):
        sites.agents[name].stop()
    run_id = sites.rest.trigger("us_flow")
    sites.rest.trigger("eu_flow")

    def warnings() -> str:
        return "; ".join(one["warning"] for one in sites.ask("queues") if one["site"] == "eu")

    eventually(
        lambda: "waits for an agent of site eu with bundle eu dags on queue default: bare" in warnings(),
        timeout=60,
        what=warnings,
    )
    assert sites.rest.wait_for_run("us_flow", run_id).state == "success"
    assert sites.journal("plain").keys() <= {"eu-1", "eu-2"}
