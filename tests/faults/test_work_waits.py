"""No agent, or none that is let in: work waits, and none of it fails for waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import httpx
import pytest

from faults.conftest import SCALED
from faults.fleet import Fleet, home_agent, in_full, run_plane
from support import postgresql
from support.journal import at_once, ran_once
from support.patience import eventually, stretched


@pytest.fixture
def hasty(directory: Path, server: postgresql.PostgreSQL) -> Iterator[Fleet]:
    """A plane whose scheduler has little patience with queued tasks."""
    airflow = {"scheduler": {"task_queued_timeout": "4", "task_queued_timeout_check_interval": "1"}}
    with run_plane(directory / "hasty", server, SCALED, airflow=airflow) as fleet, home_agent(fleet):
        with fleet.of_one_test() as of_one:
            yield of_one


@in_full
def test_tasks_wait_for_an_agent_for_longer_than_the_scheduler_likes(hasty: Fleet) -> None:
    run_id = hasty.start("work_4", seconds=1)
    eventually(lambda: len(hasty.live()) == 4, timeout=30, what="4 attempts wait")
    time.sleep(20)
    assert {state for _, state in hasty.tries(run_id).values()} == {"queued"}
    hasty.agent("late")
    assert hasty.finished("work_4", run_id).state == "success"
    ran_once(hasty.spans(run_id), 4)
    assert {tries for tries, _ in hasty.tries(run_id).values()} == {1}


@in_full
def test_work_waits_while_no_agent_is_there_and_runs_when_one_comes(fleet: Fleet) -> None:
    run_id = fleet.start("work_4", seconds=0)
    eventually(lambda: len(fleet.live()) == 4, timeout=30, what="4 attempts wait")
    fleet.agent("late")
    assert fleet.finished("work_4", run_id).state == "success"
    ran_once(fleet.spans(run_id), 4)


def test_a_deleted_token_stops_new_work_at_once_and_says_so(fleet: Fleet) -> None:
    barred = fleet.agent("barred")
    run_id = fleet.start("again_1", seconds=30)
    (first,) = fleet.journal.wait_for_spans(1, timeout=30, run=run_id)
    with fleet.plane.client() as http:
        delete_token(http, barred.settings.name)
    asked = time.time()
    assert barred.process.wait(stretched(20)) != 0
    waiting = fleet.start("work_1", seconds=0)
    fleet.agent("heir")
    (second,) = fleet.journal.wait_for_spans(1, timeout=40, run=run_id, attempt=2)
    assert second.agent == "heir"
    assert fleet.spans(run_id)[0].last - asked < 15, "user code of the barred agent is stopped"
    assert fleet.finished("work_1", waiting).state == "success"
    assert any("token" in reason for reason in fleet.reasons(run_id))
    assert "was deleted" in barred.process.tail()


@in_full
def test_a_token_that_expires_while_tasks_run_ends_them_and_says_so(fleet: Fleet) -> None:
    old = fleet.agent("old")
    run_id = fleet.start("again_1", seconds=30)
    fleet.journal.wait_for_spans(1, timeout=30, run=run_id)
    asked = time.time()
    expire_token(fleet, old.settings.name)
    assert old.process.wait(stretched(20)) != 0
    fleet.agent("heir")
    (second,) = fleet.journal.wait_for_spans(1, timeout=40, run=run_id, attempt=2)
    assert second.agent == "heir"
    assert fleet.spans(run_id)[0].last - asked < 15, "user code of the agent with the old token is stopped"
    assert not at_once(fleet.spans(run_id))
    assert any("expired at" in reason for reason in fleet.reasons(run_id))
    assert "expired at" in old.process.tail()
    assert [row.ended_how for row in fleet.sessions("old")] == ["token_expired"]


def expire_token(fleet: Fleet, name: str) -> None:
    """Its last day is over. Tokens live for whole days, so a test has to write the moment down by itself."""
    now = datetime.now(timezone.utc)
    fleet.execute("UPDATE tradewind_agent_token SET expires_at = :now WHERE name = :name", now=now, name=name)


def delete_token(http: httpx.Client, name: str) -> None:
    tokens = http.get("/tradewind/v1/tokens", params={"name": name}).json()["items"]
    (token,) = tokens
    http.delete(f"/tradewind/v1/tokens/{token['id']}").raise_for_status()
