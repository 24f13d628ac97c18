"""The doctor beside a running agent of a real plane, and what a scraper sees there."""

from __future__ import annotations

import json
import os
import subprocess

import httpx

from support.airflow_rest import eventually
from support.deployment import Deployment, new_token
from support.installed import environments


def sessions(deployment: Deployment) -> set[str]:
    """Of the agent that runs."""
    agents = deployment.rest.http.get("/tradewind/v1/agents").json()["items"]
    return {each["session_id"] for each in agents if each["name"] == "site"}


def test_the_doctor_finds_a_working_site_well_and_disturbs_nobody(deployment: Deployment) -> None:
    eventually(lambda: len(sessions(deployment)) == 1, timeout=60, what="the agent has a session")
    before = sessions(deployment)
    token = deployment.site / "doctors-token"
    token.write_text(new_token(deployment.plane, "doctor"))
    token.chmod(0o600)
    command = [str(environments().agent), "-m", "tradewind_agent", "doctor", "--output", "json"]
    command += ["--interpreter", str(environments().tasks)]
    command += ["--plane-url", deployment.plane.url, "--token-file", str(token)]
    command += ["--state-dir", str(deployment.site / "doctor-state"), "--components", "worker"]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "TRADEWIND"))
    }
    told = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=180, check=False)
    checks = {each["check"]: each for each in json.loads(told.stdout)["checks"]}
    assert told.returncode == 0, checks
    for check in ("tcp", "plane", "clock", "token", "deployment", "allow-list", "versions"):
        assert checks[check]["verdict"] == "ok", checks[check]
    assert checks["environment:default"]["verdict"] == "ok", checks
    assert sessions(deployment) == before


def test_a_scraper_and_a_scaler_read_the_plane_with_an_agent_token(deployment: Deployment) -> None:
    bearer = {"Authorization": f"Bearer {new_token(deployment.plane, 'scraper')}"}
    base = deployment.plane.url + "/remote-execution/v1"
    metrics = httpx.get(f"{base}/metrics", headers=bearer, timeout=30)
    assert metrics.status_code == 200 and "tradewind_plane_agents" in metrics.text
    assert httpx.get(f"{base}/metrics", timeout=30).status_code == 401
    queue = httpx.get(f"{base}/queues/default", headers=bearer, timeout=30).json()
    assert queue["queue"] == "default" and queue["work"] == queue["depth"] + queue["running"]
    assert httpx.get(f"{base}/readyz", timeout=30).text == "ready\n"
