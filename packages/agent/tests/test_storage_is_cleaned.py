"""What is stored of runs goes when the plane no longer needs it, and nothing that a live run needs ever does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import prepared_hosts
from tradewind_agent.cli import storage_table
from tradewind_agent.environments import storage as storages
from tradewind_agent.loops.cleaning import Cleaning
from tradewind_agent.monitoring import status
from tradewind_agent.settings import Settings
from tradewind_agent.state import storage_requests
from tradewind_agent.work import stored_logs
from tradewind_agent.work.retention import DAY, Limits, Removal, Stored, removals
from tradewind_protocol.sessions import Policy
from tradewind_protocol.stored_runs import AskRuns, Fate, RunFate, RunFates

NOW = 1_800_000_000.0
OLD = NOW - 100 * DAY


def stored(kind: str = "xcom", run: str = "r", files: int = 2, size: int = 10, newest: float = OLD) -> Stored:
    return Stored(kind, "file:///s", "etl", run, files, size, newest, newest)


def fate(
    one: Fate, run: str = "r", ended: float = OLD, xcoms: tuple[str, ...] | None = None
) -> dict[Any, Any]:
    at = datetime.fromtimestamp(ended, timezone.utc) if one is Fate.ENDED else None
    return {("etl", run): RunFate(dag="etl", run=run, fate=one, ended_at=at, xcoms=xcoms)}


def why(found: list[Removal]) -> list[str]:
    return [one.why for one in found]


# ---- rules


FATES = st.sampled_from([Fate.LIVE, Fate.UNKNOWN])
LIMITS = st.builds(
    Limits, values_days=st.floats(0, 50), logs_days=st.floats(0, 50), most_bytes=st.integers(0, 100)
)
KINDS = st.sampled_from(["xcom", "state", "log"])


@given(LIMITS, KINDS, st.floats(0, NOW), FATES, st.integers(1, 10**9))
def test_nothing_of_a_run_that_lives_or_is_not_known_is_ever_removed(limits, kind, newest, one, size):
    assert removals([stored(kind, newest=newest, size=size)], fate(one), limits, now=NOW) == []
    assert removals([stored(kind, newest=newest, size=size)], {}, limits, now=NOW) == []


@given(LIMITS, KINDS, st.floats(NOW - 3599, NOW + 10), st.sampled_from(list(Fate)), st.booleans())
def test_nothing_that_was_written_within_the_hour_is_removed(limits, kind, newest, one, unknown):
    limits = replace(limits, unknown=unknown)
    assert removals([stored(kind, newest=newest)], fate(one, xcoms=()), limits, now=NOW) == []


@given(LIMITS, st.booleans())
def test_state_of_assets_is_of_no_run_and_stays(limits, unknown):
    assets = replace(stored("state"), dag="", run="")
    assert removals([assets], fate(Fate.DELETED), replace(limits, unknown=unknown), now=NOW) == []


def test_what_is_of_a_deleted_run_goes_a_day_after_its_last_write():
    assert why(removals([stored()], fate(Fate.DELETED), Limits(), now=NOW)) == ["the plane has no such run"]
    fresh = stored(newest=NOW - DAY / 2)
    assert removals([fresh], fate(Fate.DELETED), Limits(), now=NOW) == []


def test_what_is_of_a_dag_the_plane_does_not_know_goes_only_when_a_person_asks():
    assert removals([stored()], fate(Fate.UNKNOWN), Limits(values_days=1), now=NOW) == []
    found = removals([stored()], fate(Fate.UNKNOWN), Limits(unknown=True), now=NOW)
    assert why(found) == ["the plane does not know the Dag"]


def test_age_counts_from_the_end_of_the_run_and_by_kind():
    ended = fate(Fate.ENDED, ended=NOW - 10 * DAY)
    both = [stored(), stored("log")]
    assert removals(both, ended, Limits(), now=NOW) == []
    assert [one.stored.kind for one in removals(both, ended, Limits(values_days=9), now=NOW)] == ["xcom"]
    assert [one.stored.kind for one in removals(both, ended, Limits(logs_days=9), now=NOW)] == ["log"]
    assert removals(both, ended, Limits(values_days=11, logs_days=11), now=NOW) == []


def test_values_that_were_rewritten_go_once_the_run_has_ended():
    (found,) = removals([stored(files=3)], fate(Fate.ENDED, xcoms=("a",)), Limits(), now=NOW)
    assert found.why == "rewritten or deleted values"
    assert found.keep == {"a"}
    assert removals([stored(files=1)], fate(Fate.ENDED, xcoms=("a",)), Limits(), now=NOW) == []
    assert removals([stored(files=3)], fate(Fate.ENDED, xcoms=None), Limits(), now=NOW) == []
    assert removals([stored("state", files=3)], fate(Fate.ENDED, xcoms=()), Limits(), now=NOW) == []


def test_above_the_most_bytes_what_ended_longest_ago_goes_first():
    runs = [stored(run=name, newest=OLD + n) for n, name in enumerate(["a", "b", "c", "live"])]
    fates = {
        **fate(Fate.ENDED, "a", OLD + 30),
        **fate(Fate.ENDED, "b", OLD + 10),
        **fate(Fate.ENDED, "c", OLD + 20),
        **fate(Fate.LIVE, "live"),
    }
    found = removals(runs, fates, Limits(most_bytes=25), now=NOW)
    assert [one.stored.run for one in found] == ["b", "c"]
    assert [one.stored.run for one in removals(runs, fates, Limits(most_bytes=1), now=NOW)] == ["b", "c", "a"]
    assert removals(runs, fates, Limits(most_bytes=40), now=NOW) == []


# ---- logs


def write(path: Path, at: float, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def test_logs_are_listed_by_run_and_removed_with_their_folders(tmp_path):
    gone = write(tmp_path / "dag_id=etl" / "run_id=r 1" / "task_id=t" / "attempt=1.log", OLD)
    new = write(tmp_path / "dag_id=etl" / "run_id=r 1" / "task_id=t" / "attempt=2.log", NOW)
    other = write(tmp_path / "dag_id=etl" / "run_id=r2" / "task_id=t" / "attempt=1.log", OLD)
    write(tmp_path / "dag_processor" / "x.log", OLD)
    listed = {one.run: one for one in stored_logs.listed(tmp_path)}
    assert sorted(one.files for one in listed.values()) == [1, 2]
    (run,) = [one for one in listed if one != "r2"]
    order = Removal(listed[run], "", before=NOW - 1)
    assert [one.files for one in stored_logs.removed(tmp_path, [order], dry=True)] == [1]
    assert gone.exists()
    assert [one.files for one in stored_logs.removed(tmp_path, [order], dry=False)] == [1]
    assert not gone.exists()
    assert new.exists()
    stored_logs.removed(tmp_path, [Removal(listed["r2"], "", before=NOW)], dry=False)
    assert not other.parents[1].exists()
    assert (tmp_path / "dag_processor" / "x.log").exists()


# ---- the whole, in a real task environment


PUSH = """
import os, sys
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure(component="worker", agent_name="a", gateway="/g", secret="", options={"state_directory": sys.argv[1]}))
from airflow.sdk.execution_time.xcom import XCom
from airflow.sdk.execution_time.context import _get_worker_state_store_backend
from airflow.sdk.state import AssetScope, TaskScope
for run in ("live", "ended", "deleted", "unknown", "fresh"):
    for n in range(2):
        made = XCom.serialize_value([n], key="k", dag_id="nobody" if run == "unknown" else "etl", run_id=run, task_id="t", map_index=-1)
        print(run, made)
store = _get_worker_state_store_backend()
for run in ("live", "ended", "deleted"):
    store.serialize_task_state_store_to_ref(value=1, key="k", scope=TaskScope("etl", run, "t"))
store.serialize_asset_state_store_to_ref(value=1, key="k", scope=AssetScope(name="a"))
"""


class AskedPlane:
    """Answers for four runs; the second value of the ended one was rewritten."""

    def __init__(self, kept: str) -> None:
        self._kept = kept

    async def fates(self, ask: AskRuns) -> RunFates:
        answers = {
            ("etl", "live"): RunFate(dag="etl", run="live", fate=Fate.LIVE),
            ("etl", "ended"): RunFate(
                dag="etl",
                run="ended",
                fate=Fate.ENDED,
                ended_at=datetime.fromtimestamp(OLD, timezone.utc),
                xcoms=(self._kept,),
            ),
        }
        return RunFates(
            runs=tuple(
                answers.get(
                    (one.dag, one.run),
                    RunFate(
                        dag=one.dag, run=one.run, fate=Fate.DELETED if one.dag == "etl" else Fate.UNKNOWN
                    ),
                )
                for one in ask.runs
            )
        )


@pytest.fixture
def pushed(tmp_path: Path) -> list[Path]:
    """Values of a real task environment, all but those of one run written long ago."""
    state = tmp_path / "state"
    done = prepared_hosts.run(PUSH, str(state))
    assert done.returncode == 0, done.stderr
    made = done.stdout.split()
    long_ago = time.time() - 100 * DAY
    for path in state.rglob("*.tradewind-*"):
        if "fresh" not in path.parts and path.is_file():
            os.utime(path, (long_ago, long_ago))
    return [Path(each.removeprefix("file://")) for each in made if each.startswith("file://")]


@pytest.mark.timeout(300)
async def test_a_site_is_cleaned_of_just_what_is_not_needed(tmp_path, pushed):
    state = tmp_path / "state"
    kept = next(path for path in pushed if "ended" in path.parts)
    interpreter = prepared_hosts.python(tmp_path / "python")
    settings = Settings(
        plane_url="http://plane", token="tw_agent_x", state_dir=state, name="a", interpreter=interpreter
    )
    subject = Cleaning(
        settings=settings, plane=AskedPlane(kept.name), log_directory=state / "task-logs", now=time.time
    )

    def left(run: str) -> int:
        return sum(1 for path in state.rglob("*.tradewind-*") if run in path.parts and path.is_file())

    before = {run: left(run) for run in ("live", "ended", "deleted", "unknown", "fresh", "assets")}
    assert before == {"live": 3, "ended": 3, "deleted": 3, "unknown": 2, "fresh": 2, "assets": 1}
    dry = await subject.clean(dry=True)
    assert dry["problems"] == []
    assert dry["removed"]["files"] == 1 + 3
    assert {run: left(run) for run in before} == before
    assert "would be removed with --clean: the plane has no such run" in storage_table.table(dry)

    done = await subject.clean(dry=False)
    assert done["removed"] == dry["removed"]
    assert {run: left(run) for run in before} == {**before, "ended": 2, "deleted": 0}
    assert kept.exists()
    assert not list(state.glob("xcom/etl/deleted"))

    await subject.clean(dry=False, unknown=True)
    assert {run: left(run) for run in before} == {**before, "ended": 2, "deleted": 0, "unknown": 0}


@pytest.mark.timeout(120)
async def test_what_was_stored_under_a_strict_policy_is_found_although_the_settings_are_open_now(
    tmp_path, pushed
):
    settings = Settings(
        plane_url="http://plane",
        token="tw_agent_x",
        state_dir=tmp_path / "state",
        policy=Policy.OPEN,
        interpreter=prepared_hosts.python(tmp_path / "python"),
    )
    found = await storages.listed(settings, settings.task_environments[0])
    assert {(one["kind"], one["run"]) for one in found if one["dag"]} == {
        *(("xcom", run) for run in ("live", "ended", "deleted", "unknown", "fresh")),
        *(("state", run) for run in ("live", "ended", "deleted")),
    }


async def test_a_plane_that_does_not_answer_costs_nothing(tmp_path):
    class Away:
        async def fates(self, ask: AskRuns) -> RunFates:
            raise OSError("away")

    log = write(tmp_path / "task-logs" / "dag_id=etl" / "run_id=r" / "t.log", OLD)
    settings = Settings(
        plane_url="http://plane", token="tw_agent_x", state_dir=tmp_path, interpreter=Path("/no/python")
    )
    subject = Cleaning(settings=settings, plane=Away(), log_directory=tmp_path / "task-logs", now=lambda: NOW)
    await subject._one({"clean": True, "id": "1"})
    assert log.exists()
    found = storage_requests.report(tmp_path)
    assert found is not None
    assert found["request"] == "1"
    assert found["problems"] == ["away"]


# ---- the command


def test_the_command_needs_a_running_agent(tmp_path):
    asked = subprocess.run(
        [sys.executable, "-m", "tradewind_agent", "storage", "--state-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 3
    assert "only a running agent can ask the plane" in asked.stderr


def test_a_request_that_cannot_be_left_is_said_without_a_traceback(tmp_path):
    status.write(tmp_path, {"agent": {"pid": os.getpid()}})
    (tmp_path / storage_requests.REQUEST).mkdir()  # what stands in the way, whoever asks
    asked = subprocess.run(
        [sys.executable, "-m", "tradewind_agent", "storage", "--state-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 1
    assert asked.stderr.startswith(f"the agent cannot be asked: Is a directory: {tmp_path}. Run this as")


def test_a_request_is_taken_once(tmp_path):
    storage_requests.request(tmp_path, id="1", clean=True, unknown=False)
    assert (tmp_path / storage_requests.REQUEST).stat().st_mode & 0o777 == 0o600
    assert storage_requests.take_request(tmp_path) == {"id": "1", "clean": True, "unknown": False}
    assert storage_requests.take_request(tmp_path) is None


def test_a_report_is_a_table():
    text = storage_table.table(
        {
            "dry": True,
            "stored": [
                {
                    "kind": "xcom",
                    "base": "s3://b",
                    "dag": "etl",
                    "runs": 3,
                    "live": 1,
                    "files": 7,
                    "bytes": 3 * 2**30,
                }
                | {"oldest": 0.0, "removable_files": 2, "removable_bytes": 2048},
                {"kind": "state", "base": "s3://b", "dag": "", "runs": 0, "live": 0, "files": 1, "bytes": 5}
                | {"oldest": 0.0, "removable_files": 0, "removable_bytes": 0},
            ],
            "removals": [{"why": "the plane has no such run", "files": 2, "bytes": 2048}],
            "problems": ["a bucket is away"],
        }
    )
    assert text.splitlines() == [
        "KIND   DAG       RUNS  LIVE  FILES  SIZE     OLDEST      REMOVABLE",
        "xcom   etl       3     1     7      3.0 GiB  1970-01-01  2.0 KiB",
        "state  (assets)  -     -     1      5 B      1970-01-01  -",
        "",
        "2 files (2.0 KiB) would be removed with --clean: the plane has no such run",
        "problem: a bucket is away",
    ]
