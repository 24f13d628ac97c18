"""A site that runs signed runs only: what the command signs runs, and what a Dag starts that may; the same parameters without a
signature do not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.deployment import JOURNAL, Deployment, run_site
from tradewind_agent.state import key_ring
from tradewind_agent.state.key_ring import KeyRing

FLOW = """
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, task
import site_journal

with DAG("signed_runs", schedule=None, params={"region": "eu"}):

    @task
    def say(params=None, dag_run=None):
        site_journal.write("ran", run=dag_run.run_id, conf=dag_run.conf, params=dict(params))

    say()

for name in ("front", "intruder"):
    with DAG(name, schedule=None, params={"region": "eu"}):
        TriggerDagRunOperator(
            task_id="start", trigger_dag_id="signed_runs", conf={"region": "{{ params.region }}"}
        )
"""


@dataclass
class Signed(Deployment):
    """A site that trusts ada's key."""

    home: Path

    def start(self, *arguments: str) -> str:
        """Start a run by the command; its id."""
        environ = {
            **os.environ,
            "TRADEWIND_PLANE_URL": self.plane.url,
            "TRADEWIND_API_TOKEN": self.plane.sign_in("admin"),
        }
        command = [sys.executable, "-m", "tradewind", "runs", "start", "signed_runs", *arguments]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def started_by(self, dag_id: str, conf: dict[str, str]) -> str:
        """Let a task of that Dag start a run; its id."""
        assert self.rest.run(dag_id, conf=conf).state == "success"
        runs = self.rest.get("/dags/signed_runs/dagRuns")["dag_runs"]
        return str(max(runs, key=lambda run: str(run["queued_at"]))["dag_run_id"])

    def fails(self, run: str, *why: str) -> None:
        """The run fails with that reason before its task runs."""
        assert self.rest.wait_for_run("signed_runs", run).state == "failed", why
        attempts = self.rest.http.get("/tradewind/v1/attempts", params={"run_id": run}).json()["items"]
        assert any(all(each in one["reason"] for each in why) for one in attempts), attempts
        assert self.journal("ran", run=run) == []


@pytest.fixture(scope="module")
def signed(deployment: Deployment, directory: Path) -> Iterator[Signed]:
    home = directory / "signed-runs"
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "flow.py").write_text(FLOW)
    for name in ("ada", "mallory"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
    ring = home / "keys.toml"
    key_ring.write(ring, KeyRing.new("frankfurt", "2026-11"))
    rule = {
        "name": "signed",
        "dags": ["signed_runs"],
        "run_keys": [(home / "ada.pub").read_text().strip()],
        "run_starters": ["front"],
    }
    site = run_site(
        home / "site",
        deployment.plane,
        name="signed-runs",
        bundle="signed-runs",
        dags=home / "dags",
        site={"PYTHONPATH": JOURNAL},
        options={"rules": {"rule": [rule]}, "seal": {"keys_file": str(ring)}},
    )
    with site as (agent, place):
        for dag_id in ("signed_runs", "front", "intruder"):
            deployment.rest.wait_for_dags([dag_id])
            deployment.rest.unpause(dag_id)
        yield Signed(deployment.plane, agent, place, deployment.rest, home)


def test_a_signed_run_runs_and_its_task_sees_no_signature(signed: Signed) -> None:
    run = signed.start("--conf", '{"region": "us"}', "--sign", str(signed.home / "ada"))
    assert signed.rest.wait_for_run("signed_runs", run).state == "success"
    [ran] = signed.journal("ran", run=run)
    assert (ran["conf"], ran["params"]) == ({"region": "us"}, {"region": "us"})


def test_unsigned_runs_runs_of_other_keys_and_replayed_ones_fail_with_the_rule(signed: Signed) -> None:
    mine = signed.start("--conf", '{"region": "us"}', "--sign", str(signed.home / "ada"))
    conf = signed.rest.get(f"/dags/signed_runs/dagRuns/{mine}")["conf"]
    refused = {
        "no signature": signed.rest.trigger("signed_runs", conf={"region": "us"}),
        "no key that the site's owner trusts": signed.start("--sign", str(signed.home / "mallory")),
        "not for this run": signed.rest.trigger("signed_runs", conf=conf),
    }
    for why, run in refused.items():
        signed.fails(run, "'signed.run_keys'", why)


def test_a_run_that_a_task_starts_runs_where_its_dag_may_start_it(signed: Signed) -> None:
    child = signed.started_by("front", {"region": "us"})
    assert signed.rest.wait_for_run("signed_runs", child).state == "success"
    [ran] = signed.journal("ran", run=child)
    assert (ran["conf"], ran["params"]) == ({"region": "us"}, {"region": "us"})
    conf = signed.rest.get(f"/dags/signed_runs/dagRuns/{child}")["conf"]
    assert conf["sealed_by"] == "frankfurt, key 2026-11"
    # the same parameters for another run, as a user or a plane that was taken over starts it
    signed.fails(signed.rest.trigger("signed_runs", conf=conf), "the parameters of a run was asked for")


def test_a_run_that_another_dag_starts_is_refused(signed: Signed) -> None:
    signed.fails(
        signed.started_by("intruder", {"region": "us"}),
        "'signed.run_keys'",
        "a task of Dag 'intruder' has started",
    )
