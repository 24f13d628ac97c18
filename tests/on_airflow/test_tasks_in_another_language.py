"""Tasks whose program is not Python: Airflow's coordinators start it at the site, and it has what a task has."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.airflow_rest import eventually
from support.deployment import Deployment, run_site, site_key
from tradewind_agent.state import key_ring
from tradewind_agent.state.key_ring import KeyRing

HERE = Path(__file__).parent
DAGS = ("languages", "languages_long", "languages_broken")
METADATA = {"sdk": {"supervisor_schema_version": "2026-06-16"}, "dags": {name: {} for name in DAGS}}


def executable(file: Path) -> Path:
    """The program in the form that Airflow's ExecutableCoordinator finds: then what it is for, and a trailer with its sum."""
    program = (HERE / "languages" / "tasks.pl").read_bytes() + b"\n__END__\n"
    told = json.dumps(METADATA).encode()  # YAML, too
    trailer = (
        struct.pack("<III", 0, len(told), 1) + hashlib.sha256(program).digest() + bytes(12) + b"AFBNDL01"
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(program + told + trailer)
    file.chmod(0o755)
    return file


@pytest.fixture(scope="module")
def site(deployment: Deployment, directory: Path) -> Iterator[Deployment]:
    """Strict, with a key ring: what a program hands on is sealed by the agent."""
    home = directory / "languages"
    programs = executable(home / "programs" / "tasks").parent
    key_ring.write(home / "keys.toml", KeyRing.new("frankfurt", "2026-11"))
    native = {
        "classpath": "airflow.sdk.coordinators.executable.ExecutableCoordinator",
        "kwargs": {"executables_root": [str(programs)]},
    }
    started = run_site(
        home,
        deployment.plane,
        name="languages",
        bundle="languages",
        dags=HERE / "dags_languages",
        queues=("default", "perl"),
        site={
            "SITE_NAME": "Frankfurt",
            "AIRFLOW__SDK__COORDINATORS": json.dumps({"native": native}),
            "AIRFLOW__SDK__QUEUE_TO_COORDINATOR": json.dumps({"perl": "native"}),
        },
        options={
            "site_key_file": site_key(home),
            "seal": {"keys_file": str(home / "keys.toml"), "values_below": 100_000},
        },
    )
    with started as (agent, where):
        deployment.rest.wait_for_dags(DAGS)
        yield Deployment(deployment.plane, agent, where, deployment.rest)


def log_of(site: Deployment, dag_id: str, run_id: str, task_id: str) -> list[str]:
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/1"
    return [str(line["event"]) for line in site.rest.get(path)["content"]]


def attempts(site: Deployment, run_id: str) -> list[dict[str, Any]]:
    found = site.rest.http.get("/tradewind/v1/attempts", params={"run_id": run_id, "limit": 100})
    return list(found.json()["items"])


def test_it_reads_what_a_python_task_returned_and_is_read_by_one(site: Deployment) -> None:
    run = site.rest.run("languages")
    assert run.state == "success", log_of(site, "languages", run.run_id, "reports")
    [heard] = site.journal("heard")
    assert heard["report"] == "perl has counted 3 rows in Frankfurt"
    path = f"/dags/languages/dagRuns/{run.run_id}/taskInstances/reports/xcomEntries/return_value"
    assert "perl has counted" not in json.dumps(site.rest.get(path)), "the plane has it sealed"
    said = log_of(site, "languages", run.run_id, "reports")
    assert [line for line in said if re.fullmatch(r"perl \S+ does reports", line)]


def test_one_that_is_marked_while_it_runs_is_stopped_within_seconds(site: Deployment) -> None:
    run_id = site.rest.trigger("languages_long")

    def process() -> str:
        said = log_of(site, "languages_long", run_id, "sleeps")
        return next((line.rpartition(" ")[2] for line in said if line.startswith("its process is")), "")

    site.rest.wait_for_task("languages_long", run_id, "sleeps", ["running"])
    eventually(lambda: bool(process()), timeout=60, what="the program runs")
    pid = process()
    assert b"tasks" in Path(f"/proc/{pid}/cmdline").read_bytes()
    asked = time.monotonic()
    there = f"/dags/languages_long/dagRuns/{run_id}/taskInstances/sleeps"
    site.rest.send("PATCH", there, {"new_state": "failed"})
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), timeout=30, what="the program has ended")
    assert time.monotonic() - asked < 20
    eventually(
        lambda: all(one["process"] for one in attempts(site, run_id)), timeout=30, what="the slot is free"
    )


def test_one_that_exits_with_an_error_fails_with_its_exit_code_and_its_words(site: Deployment) -> None:
    run = site.rest.run("languages_broken")
    assert run.state == "failed"
    assert "something is wrong here" in log_of(site, "languages_broken", run.run_id, "breaks")
    eventually(
        lambda: all(one["process"] for one in attempts(site, run.run_id)), timeout=30, what="it has ended"
    )
    [attempt] = attempts(site, run.run_id)
    assert (attempt["process"], attempt["exit_code"], attempt["task_state"]) == ("exited", 3, "failed")
