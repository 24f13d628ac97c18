"""A site that runs signed runs only: what the command signs runs, and the same parameters without a signature do not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.deployment import JOURNAL, Deployment, run_site

FLOW = """
from airflow.sdk import DAG, task
import site_journal

with DAG("signed_runs", schedule=None, params={"region": "eu"}):

    @task
    def say(params=None, dag_run=None):
        site_journal.write("ran", run=dag_run.run_id, conf=dag_run.conf, params=dict(params))

    say()
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


@pytest.fixture(scope="module")
def signed(deployment: Deployment, directory: Path) -> Iterator[Signed]:
    home = directory / "signed-runs"
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "flow.py").write_text(FLOW)
    for name in ("ada", "mallory"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
    site = run_site(
        home / "site",
        deployment.plane,
        name="signed-runs",
        bundle="signed-runs",
        dags=home / "dags",
        site={"PYTHONPATH": JOURNAL},
        options={"rules": {"run_keys": [(home / "ada.pub").read_text().strip()]}},
    )
    with site as (agent, place):
        deployment.rest.wait_for_dags(["signed_runs"])
        deployment.rest.unpause("signed_runs")
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
        assert signed.rest.wait_for_run("signed_runs", run).state == "failed", why
        attempts = signed.rest.http.get("/tradewind/v1/attempts", params={"run_id": run}).json()["items"]
        assert any("'run_keys'" in one["reason"] and why in one["reason"] for one in attempts), attempts
        assert signed.journal("ran", run=run) == []
