"""Canaries on a real plane with real agents: one queue goes all the way, one is barred by a rule, one loses its agent, and one its
worker process. A real sentinel says so at the site."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.airflow_rest import eventually
from support.deployment import run_site
from support.installed import plane_settings
from tradewind.embedded import agent, plane


@contextmanager
def stopped(site: agent.Agent) -> Iterator[None]:
    """The agent's worker process does nothing, as one that hangs."""
    (worker,) = [
        one
        for one in psutil.Process(site.process.pid).children()
        if "worker process" in " ".join(one.cmdline())
    ]
    worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send_signal(signal.SIGCONT)


@contextmanager
def sentinel(running: plane.Plane, http: Any, directory: Path, site: agent.Agent) -> Iterator[None]:
    """A sentinel of the machine, started as its owner starts it."""
    directory.mkdir()
    made = http.post("/tradewind/v1/tokens", json={"name": "watch", "kind": "sentinel"})
    assert made.is_success, made.text
    token = directory / "token"
    token.write_text(made.json()["token"])
    command = [site.settings.interpreter, "-m", "tradewind_agent", "sentinel"]
    command += ["--plane-url", running.url, "--token-file", str(token), "--units", "none-such*.service"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--state-dirs", str(site.state_dir)],
            env={"PATH": "/usr/bin:/bin", "TRADEWIND_SENTINEL_PORT": "0", "TRADEWIND_SENTINEL_NAME": "lab"},
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def findings(http: Any) -> list[dict[str, Any]]:
    answer = http.get("/tradewind/v1/sentinels/findings")
    assert answer.is_success, answer.text
    return [one for one in answer.json()["items"] if one["check"].startswith("canary:")]


def queues(http: Any) -> dict[str, dict[str, Any]]:
    answer = http.get("/tradewind/v1/queues")
    assert answer.is_success, answer.text
    return {one["queue"]: one.get("canary") or {} for one in answer.json()["items"]}


@pytest.mark.timeout(400)
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
                lambda: (
                    all(queues(http).get(one, {}).get("result") == "ok" for one in ("good", "gone"))
                    and bool(queues(http).get("barred", {}).get("rule"))
                ),
                timeout=150,
                what=lambda: str(queues(http)),
            )
            leaving.stop()
            eventually(
                lambda: "serves the queue" in queues(http)["gone"].get("reason", ""),
                timeout=90,
                what=lambda: str(queues(http)),
            )
            found = queues(http)
        assert found["good"]["result"] == "ok", found
        assert set(found["good"]["seconds"]) == {"claim", "start", "log", "finish"}
        assert (found["barred"]["hop"], found["barred"]["rule"]) == ("claim", "queues")
        assert found["barred"]["agent"] == "barred"
        assert found["gone"]["hop"] == "claim"
        runs = http.get("/api/v2/dags/~/dagRuns/~/taskInstances")
        assert runs.json()["total_entries"] == 0, "no table of Airflow's has a row of a canary"


@pytest.mark.timeout(400)
def test_a_worker_process_that_hangs_fails_the_start_and_the_sites_sentinel_says_so(directory: Path) -> None:
    settings = plane_settings(
        home=directory / "hung",
        options={"tradewind": {"canary_interval_seconds": "5", "sweep_seconds": "1"}},
    )
    with (
        plane.Plane(settings) as running,
        running.client() as http,
        run_site(directory / "hangs", running, name="hangs", dags=None, options={"queues": ["q"]}) as (
            site,
            _,
        ),
    ):
        eventually(
            lambda: queues(http).get("q", {}).get("result") == "ok",
            timeout=150,
            what=lambda: str(queues(http)),
        )
        with sentinel(running, http, directory / "sentinel", site):
            with stopped(site):
                eventually(
                    lambda: queues(http).get("q", {}).get("hop") == "start",
                    timeout=90,
                    what=lambda: str(queues(http)),
                )
                eventually(lambda: bool(findings(http)), timeout=150, what="the sentinel has a finding")
                (found,) = findings(http)
            assert (found["check"], found["subject"]) == ("canary:start", "queue:q")
            assert "work of queue q is claimed and does not start: agent hangs claimed it" in found["cause"]
            assert "did not begin and end it within 10 s" in found["cause"] and found["remedy"]
            eventually(
                lambda: queues(http).get("q", {}).get("result") == "ok",
                timeout=90,
                what=lambda: str(queues(http)),
            )
            eventually(lambda: not findings(http), timeout=150, what="the finding has ended")
