"""A site of two agents with one key ring: what authors write as data lies on the plane, and the plane cannot read it."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import postgresql
from support.airflow_rest import Run, eventually
from support.deployment import Deployment, run_site, site_key
from tradewind_agent.state import key_ring
from tradewind_agent.state.key_ring import KeyRing

DAGS = Path(__file__).parent / "dags_sealed"
MARK = re.compile(rb"SEALED-[A-Z]+-[\w-]+")


@dataclass
class Sealed(Deployment):
    """Two agents of one site. `here` has worker and dag processor, `there` worker and triggerer."""

    here: Path
    there: Path
    ring: Path

    def said(self, event: str) -> list[dict[str, object]]:
        """What tasks and triggers of both agents wrote down."""
        return [*self._of(self.here).journal(event), *self._of(self.there).journal(event)]

    def _of(self, site: Path) -> Deployment:
        return Deployment(self.plane, self.agent, site, self.rest)


@pytest.fixture(scope="module")
def sealed(deployment: Deployment, directory: Path) -> Iterator[Sealed]:
    home = directory / "sealed"
    home.mkdir()
    ring = home / "keys.toml"
    key_ring.write(ring, KeyRing.new("frankfurt", "2026-11"))
    common = {
        "bundle": "sealed",
        "dags": DAGS,
        "options": {
            "site_key_file": site_key(home),
            "seal": {"keys_file": str(ring), "values_below": 100_000, "required": True},
        },
    }
    here = run_site(
        home / "here",
        deployment.plane,
        name="sealed-here",
        queues=("here",),
        components=["worker", "dag_processor"],
        **common,
    )
    there = run_site(
        home / "there",
        deployment.plane,
        name="sealed-there",
        queues=("there",),
        components=["worker", "triggerer"],
        **common,
    )
    with here as (agent, site), there as (_, other):
        deployment.rest.wait_for_dags(["sealed", "sealed_child", "sealed_consumer", "sealed_again"])
        yield Sealed(deployment.plane, agent, site, deployment.rest, site, other, ring)


@pytest.fixture(scope="module")
def after_a_run(sealed: Sealed) -> Sealed:
    for dag_id in ("sealed_child", "sealed_consumer"):
        sealed.rest.unpause(dag_id)
    run = sealed.rest.run("sealed", timeout=180)
    assert run.state == "success", problems(sealed, run)
    eventually(lambda: bool(sealed.said("triggered")), timeout=60, what="the asset's Dag has run")
    return sealed


def test_what_one_agent_passed_on_the_other_has_read(after_a_run: Sealed) -> None:
    [consumed] = after_a_run.said("consumed")
    assert consumed["given"] == {"z": 1, "customers": ["SEALED-XCOM-returned"], "a": 2}
    assert consumed["keys"] == ["z", "customers", "a"], "in the order they had"
    assert consumed["pushed"] == "SEALED-XCOM-pushed"
    [gathered] = after_a_run.said("gathered")
    mapped = [f"SEALED-XCOM-{one}-mapped" for one in ("one", "two", "three")]
    assert (gathered["all"], gathered["first"], gathered["two"]) == (mapped, mapped[0], mapped[1:])
    [remembered] = after_a_run.said("remembered")
    assert remembered["value"] == {"id": "SEALED-STATE-of-a-task"}
    [looked] = after_a_run.said("looked")
    assert looked["extra"] == {"rows": "SEALED-EXTRA-of-an-event"}
    assert looked["watermark"] == "SEALED-STATE-of-an-asset"
    [made] = after_a_run.said("made")
    assert (made["extra"], made["asset"]) == (
        {"rows": "SEALED-EXTRA-by-an-alias"},
        {"of": "SEALED-ASSET-extra"},
    )
    [triggered] = after_a_run.said("triggered")
    assert triggered["extra"] == {"rows": "SEALED-EXTRA-of-an-event"}
    [child] = after_a_run.said("child")
    assert child["conf"] == {"region": "SEALED-CONF-value", "rows": 3}
    assert child["params"] == {"region": "SEALED-CONF-value", "rows": 3}


def test_a_trigger_on_the_other_agent_has_its_arguments_and_the_task_its_event(after_a_run: Sealed) -> None:
    assert {one["note"] for one in after_a_run.said("trigger_has")} == {"SEALED-TRIGGER-argument"}
    [resumed] = after_a_run.said("resumed")
    assert resumed["handle"] == "SEALED-NEXT-kwargs"
    assert resumed["payload"] == {
        "note": "SEALED-TRIGGER-argument",
        "said": "SEALED-EVENT-payload",
        "at": "2026-11-29T07:00:00+00:00",
    }
    [ended] = after_a_run.said("ended")
    assert ended["value"] == {"note": "SEALED-XCOM-of-a-trigger"}


def test_nothing_of_it_is_in_the_database_in_clear(after_a_run: Sealed) -> None:
    dump = dumped(after_a_run)
    assert b"sealed-delivery" in dump
    assert dump.count(b"frankfurt, key 2026-11") > 12, "each kind of value lies there, and says by which key"
    assert set(MARK.findall(dump)) == set()


def test_people_read_which_key_sealed_it(after_a_run: Sealed) -> None:
    runs = after_a_run.rest.get("/dags/sealed/dagRuns")["dag_runs"]
    path = f"/dags/sealed/dagRuns/{runs[0]['dag_run_id']}/taskInstances/produce/xcomEntries/return_value"
    assert "frankfurt, key 2026-11" in str(after_a_run.rest.get(path)["value"])


@pytest.fixture(scope="module")
def rotated(after_a_run: Sealed) -> Sealed:
    """After another key seals, and the first one only opens."""
    ring = key_ring.read(after_a_run.ring).with_new("2027-01")
    key_ring.write(after_a_run.ring, ring)
    key_ring.write(after_a_run.ring, ring.sealing_with("2027-01"))
    eventually(
        lambda: b"frankfurt, key 2027-01" in dumped(after_a_run) or not reads_again(after_a_run),
        timeout=90,
        what="the new key seals",
    )
    return after_a_run


def reads_again(sealed: Sealed) -> bool:
    """Run the Dag that reads what the first run left, and passes it on."""
    first = min(sealed.rest.get("/dags/sealed/dagRuns")["dag_runs"], key=lambda run: str(run["run_after"]))
    return sealed.rest.run("sealed_again", conf={"run": first["dag_run_id"]}).state == "success"


def test_after_a_rotation_old_values_open_and_new_ones_have_the_new_key(rotated: Sealed) -> None:
    assert reads_again(rotated)
    assert rotated.said("read_again")[-1]["value"] == "SEALED-XCOM-pushed"
    dump = dumped(rotated)
    assert b"frankfurt, key 2026-11" in dump and b"frankfurt, key 2027-01" in dump
    assert set(MARK.findall(dump)) == set()


def test_a_value_that_the_plane_writes_itself_fails_the_task_that_reads_it(rotated: Sealed) -> None:
    first = min(rotated.rest.get("/dags/sealed/dagRuns")["dag_runs"], key=lambda run: str(run["run_after"]))
    path = f"/dags/sealed/dagRuns/{first['dag_run_id']}/taskInstances/produce/xcomEntries"
    rotated.rest.send("POST", path, {"key": "planted", "value": "of a plane that was taken over"})
    read = len(rotated.said("read_again"))
    run = rotated.rest.run("sealed_again", conf={"run": first["dag_run_id"], "key": "planted"})
    assert run.state == "failed"
    assert len(rotated.said("read_again")) == read
    assert "an XCom has no seal, and this site takes sealed ones only" in logs_of(rotated, "sealed_again")


def test_a_lost_key_fails_the_task_with_the_reason(rotated: Sealed) -> None:
    before = key_ring.read(rotated.ring)
    key_ring.write(rotated.ring, before.without("2026-11"))
    read = len(rotated.said("read_again"))
    eventually(lambda: not reads_again(rotated), timeout=60, what="the key is missed")
    reason = "sealed with key '2026-11', and the key ring of this agent (site 'frankfurt') has 2027-01 only"
    assert reason in logs_of(rotated, "sealed_again")
    # the parameters of a run are read before its tasks start
    child = rotated.rest.get("/dags/sealed_child/dagRuns")["dag_runs"][0]["dag_run_id"]
    rotated.rest.send("POST", f"/dags/sealed_child/dagRuns/{child}/clear", {"dry_run": False})
    assert rotated.rest.wait_for_run("sealed_child", child).state == "failed"
    attempts = rotated.rest.http.get("/tradewind/v1/attempts", params={"dag_id": "sealed_child"}).json()[
        "items"
    ]
    assert any(reason in str(one["reason"]) for one in attempts), attempts
    assert len(rotated.said("child")) == 1, "no task has had the sealed form for a value"
    key_ring.write(rotated.ring, before)
    eventually(lambda: reads_again(rotated), timeout=60, what="the key is back")
    assert len(rotated.said("read_again")) > read


def logs_of(sealed: Sealed, dag_id: str) -> str:
    logs = "".join(
        each.read_text() for each in sealed.here.parent.rglob(f"task-logs/dag_id={dag_id}/**/*.log")
    )
    return logs.replace('\\"', '"').replace("\\'", "'")


def problems(sealed: Sealed, run: Run) -> str:
    """What went wrong in the tasks, as they wrote it down."""
    told = [str(run)]
    for file in sorted(sealed.here.parent.rglob("task-logs/dag_id=sealed*/**/*.log*")):
        told.extend(
            f"{file.parent.name}/{file.name}: {line[:900]}"
            for line in file.read_text().splitlines()
            if '"level":"error"' in line or "exc_value" in line or "Trigger failed" in line
        )
    return "\n".join(told)


def dumped(deployment: Deployment) -> bytes:
    """Every row of every table of the plane's database."""
    database = deployment.plane.settings.database
    if database is None:
        with closing(sqlite3.connect(deployment.plane.home / "airflow.db")) as opened:
            return "\n".join(opened.iterdump()).encode()
    command = [str(postgresql.binaries() / "pg_dump"), "--inserts", database.replace("+psycopg2", "")]
    return subprocess.run(command, capture_output=True, check=True).stdout
