"""A clean-up deletes old rows of a real Airflow's database, and nothing that is in use."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from support.installed import environments
from tradewind_platform.drivers.clean_up import MARK, SCRIPT

NOW = datetime.now(timezone.utc)
OLD, FRESH = NOW - timedelta(days=100), NOW - timedelta(days=1)

_FILL = """
import sys
from datetime import datetime
from airflow import settings
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
settings.initialize()
old, fresh = map(datetime.fromisoformat, sys.argv[1:])
session = settings.Session()
session.add(DagBundleModel(name="site"))
session.flush()
for dag in ("etl", "slow"):
    session.add(DagModel(dag_id=dag, bundle_name="site", fileloc=dag, last_parsed_time=old))
    for run, at, state in (
        ("old", old, DagRunState.SUCCESS),
        ("held", old, DagRunState.RUNNING if dag == "slow" else DagRunState.FAILED),
        ("fresh", fresh, DagRunState.SUCCESS),
    ):
        session.add(DagRun(
            dag_id=dag, run_id=run, logical_date=None, run_after=at, start_date=at, state=state,
            run_type=DagRunType.MANUAL, triggered_by=DagRunTriggeredByType.TEST,
        ))
for at in (old, fresh):
    session.add(Log(event=f"seen {at:%Y}"))
    session.flush()
session.commit()
from sqlalchemy import text
session.execute(text("UPDATE log SET dttm = (SELECT start_date FROM dag_run WHERE run_id = 'old' LIMIT 1) WHERE id = (SELECT min(id) FROM log)"))
session.execute(text('CREATE TABLE "_airflow_deleted__dag_run__20200101000000" AS SELECT * FROM dag_run'))
session.commit()
"""


@pytest.fixture(scope="module")
def home(directory: Path) -> Path:
    """With the database of an Airflow."""
    made = directory / "cleaned"
    made.mkdir()
    _run(
        made, "import sys; from airflow.__main__ import main; sys.argv = ['airflow', 'db', 'migrate']; main()"
    )
    _run(made, _FILL, OLD.isoformat(), FRESH.isoformat())
    return made


def test_old_rows_go_and_what_is_in_use_stays(home: Path) -> None:
    before = NOW - timedelta(days=30)
    found: dict[str, Any] = _told(home, before.isoformat())
    assert found["failure"] == ""
    assert found["rows"] == {"dag_run": 2, "log": 1}
    assert found["left_out"] == ["slow"] and found["archives"] == 1
    assert {"dag", "import_error", "trigger"} <= set(found["skipped"])
    with sqlite3.connect(home / "airflow.db") as database:
        runs = database.execute("SELECT dag_id, run_id FROM dag_run ORDER BY dag_id, run_id").fetchall()
        dags = database.execute("SELECT dag_id FROM dag ORDER BY dag_id").fetchall()
        left = database.execute(
            "SELECT name FROM sqlite_master WHERE name LIKE '_airflow_deleted%'"
        ).fetchall()
    assert runs == [("etl", "fresh"), ("slow", "fresh"), ("slow", "held"), ("slow", "old")]
    assert dags == [("etl",), ("slow",)] and left == []


def test_done_twice_it_deletes_nothing_more(home: Path) -> None:
    before = (NOW - timedelta(days=30)).isoformat()
    found = _told(home, before)
    assert (found["rows"], found["archives"], found["failure"]) == ({}, 0, "")


def _told(home: Path, before: str) -> dict[str, Any]:
    last = _run(home, SCRIPT, before).splitlines()[-1]
    assert last.startswith(MARK)
    return dict(json.loads(last.removeprefix(MARK)))


def _run(home: Path, script: str, *arguments: str) -> str:
    env = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [str(environments().plane), "-W", "ignore", "-c", script, *arguments],
        env=env,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
