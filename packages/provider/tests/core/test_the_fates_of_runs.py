"""Which runs still need what a site stored of them: the plane's answer, for Dags whose tasks run at the agent's site."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType
from sqlalchemy import delete

from tradewind_protocol import storage
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import stored_runs, tokens
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.tables import Attempt

from .scenes import Clock, Plane

ENDED = datetime(2026, 2, 1, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def dags_of_the_site(_empty: None) -> Any:
    with create_session() as db:
        for model in (XComModel, DagRun, DagModel):
            db.execute(delete(model))
        for bundle, dag_id in (("ours", "etl"), ("theirs", "other")):
            if db.get(DagBundleModel, bundle) is None:
                db.add(DagBundleModel(name=bundle))
            db.flush()
            db.add(DagModel(dag_id=dag_id, bundle_name=bundle, fileloc="x"))
            db.add(
                DagBundle(
                    name=bundle,
                    site="default" if bundle == "ours" else "elsewhere",
                    token_id=uuid4(),
                    agent_id=uuid4(),
                    agent_name="a",
                    mark="m",
                    claimed_at=ENDED,
                )
            )
        for run_id, state in (
            ("r-live", DagRunState.RUNNING),
            ("r-ended", DagRunState.SUCCESS),
            ("r~" + "x" * 120, DagRunState.FAILED),
        ):
            made = DagRun(
                dag_id="etl",
                run_id=run_id,
                run_type=DagRunType.MANUAL,
                state=state,
                logical_date=ENDED + timedelta(seconds=len(run_id)),
            )
            made.end_date = None if state is DagRunState.RUNNING else ENDED
            db.add(made)
    yield
    with create_session() as db:
        for model in (XComModel, DagRun, DagModel):
            db.execute(delete(model))


async def fates(plane: Plane, *runs: tuple[str, str], secret: str | None = None) -> list[dict[str, Any]]:
    agent = plane.agent()
    agent.secret = secret or agent.secret
    await agent.opens()
    asked = [{"dag": storage.segment(dag), "run": storage.segment(run)} for dag, run in runs]
    answer = await agent.call("POST", "/stored-runs", {"runs": asked})
    assert answer.status_code == 200, answer.text
    found = answer.json()["runs"]
    assert [(one["dag"], one["run"]) for one in found] == [(one["dag"], one["run"]) for one in asked]
    return list(found)


async def test_each_run_has_its_fate(plane: Plane, clock: Clock) -> None:
    found = await fates(
        plane,
        ("etl", "r-live"),
        ("etl", "r-ended"),
        ("etl", "r~" + "x" * 120),
        ("etl", "r-deleted"),
        ("other", "r-ended"),
        ("nobody", "r"),
    )
    assert [one["fate"] for one in found] == ["live", "ended", "ended", "deleted", "unknown", "unknown"]
    assert found[0]["xcoms"] is None
    assert found[1]["ended_at"].startswith("2026-02-01T00:00:00")


@pytest.mark.parametrize(
    ("site", "ran", "fate"),
    [("default", False, "ended"), ("us", False, "unknown"), ("us", True, "ended")],
    ids=["the site of the plane's work", "another site", "another site that ran a task of it"],
)
async def test_runs_of_the_planes_own_dags_have_a_fate_where_their_tasks_run(
    plane: Plane, clock: Clock, site: str, ran: bool, fate: str
) -> None:
    with create_session() as db:
        if db.get(DagBundleModel, "planes") is None:
            db.add(DagBundleModel(name="planes"))
            db.flush()
        db.add(DagModel(dag_id="planes-own", bundle_name="planes", fileloc="x"))
        run = DagRun(
            dag_id="planes-own",
            run_id="r",
            run_type=DagRunType.MANUAL,
            state=DagRunState.SUCCESS,
            logical_date=ENDED,
        )
        run.end_date = ENDED
        db.add(run)
        made = tokens.create(
            db, name="us", site="us", expires_in_days=None, created_by="ada", now=clock(), limit=50
        )
        if ran:
            db.add(
                Attempt(
                    id=uuid4(),
                    kind="task",
                    subject_id=uuid4(),
                    dag_id="planes-own",
                    site=site,
                    queue="default",
                    payload="",
                    state="finished",
                    created_at=ENDED,
                    ended_at=clock(),
                )
            )
    (found,) = await fates(plane, ("planes-own", "r"), secret=made.secret if site == "us" else None)
    assert found["fate"] == fate


def test_references_are_told_and_nothing_else(dags_of_the_site: None) -> None:
    made = storage.xcom(
        "s3://b/xcom", dag_id="etl", run_id="r-ended", task_id="t", name="0" * 32, mark="1" * 16
    )
    told = stored_runs._references(
        [made.text, "s3://bucket/an/authors/own", None, 5, {"a": made.text}, [made.text]]
    )
    assert told == (f"{'0' * 32}.{'1' * 16}.tradewind-xcom",)


async def test_a_request_for_nothing_and_for_too_much(plane: Plane) -> None:
    assert await fates(plane) == []
    agent = await plane.agent().opens(agent_id=uuid4())
    answer = await agent.call("POST", "/stored-runs", {"runs": [{"dag": "etl", "run": "r"}] * 101})
    assert answer.status_code == 422
