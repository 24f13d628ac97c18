"""Watched assets, and Dags that are unpaused: what the plane makes of a report for its scheduler and triggerers."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.models.asset import AssetModel
from airflow.models.dag import DagModel
from airflow.models.trigger import Trigger
from sqlalchemy import func, select, update

from tradewind_provider.airflow.database import create_session

from .conftest import Clock, Parsed, Site
from .reported import dag, text

LONG_AGO = datetime(2025, 1, 1, tzinfo=timezone.utc)

WATCHED = """
from airflow.sdk import DAG, Asset, AssetWatcher
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.providers.standard.operators.empty import EmptyOperator
asset = Asset("in", watchers=[AssetWatcher(name="w", trigger=FileDeleteTrigger(filepath="/x"))])
with DAG("watched", schedule=[asset]):
    EmptyOperator(task_id="a")
"""


def test_triggers_of_watched_assets_come_and_go_with_the_dags_pause(site: Site, parsed: Parsed) -> None:
    """Airflow makes them with every parse of an unpaused Dag; we are sent the Dag once, while it is still paused."""
    site.claim("main")
    told = site.report(files=(parsed("watched.py", WATCHED),))
    assert not told.refused

    def triggers() -> int:
        with create_session() as db:
            db.expire_all()
            found = db.scalar(select(DagModel).where(DagModel.dag_id == "watched"))
            assert found is not None
            return db.scalar(select(func.count()).select_from(Trigger).where(Trigger.assets.any())) or 0

    def pause(paused: bool) -> None:
        with create_session() as db:
            found = db.scalar(select(DagModel).where(DagModel.dag_id == "watched"))
            assert found is not None
            found.is_paused = paused

    pause(True)
    assert triggers() == 0
    pause(False)
    assert triggers() == 1
    with create_session() as db:
        db.execute(update(DagModel).where(DagModel.dag_id == "watched").values(is_paused=True))
    assert triggers() == 0


def asset_row(name: str = "in") -> tuple[str, dict[str, Any], list[str]]:
    """Group, extra and the names of the watchers of an asset."""
    with create_session() as db:
        found = db.scalar(select(AssetModel).where(AssetModel.name == name))
        assert found is not None
        return found.group, dict(found.extra), sorted(each.name for each in found.watchers)


NAMES_IT = """
from airflow.sdk import DAG, Asset, AssetWatcher
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.providers.standard.operators.empty import EmptyOperator
own = AssetWatcher(name="stranger's", trigger=FileDeleteTrigger(filepath="/stranger"))
asset = Asset("in", group="stranger's", extra={"rows": "none"}, watchers=WATCHERS)
with DAG("names_it", schedule=[asset]):
    EmptyOperator(task_id="a", outlets=[asset])
"""


@pytest.mark.parametrize("watchers", ["[]", "[own]"])
def test_another_sites_dag_changes_nothing_of_an_asset_by_naming_it(
    clock: Clock, site: Site, parsed: Parsed, watchers: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Airflow writes an asset's row anew for each Dag that names it. A Dag without watchers took those of another site away."""
    site.claim("main")
    assert not site.report(files=(parsed("watched.py", WATCHED),)).refused
    with create_session() as db:
        found = db.scalar(select(DagModel).where(DagModel.dag_id == "watched"))
        assert found is not None
        found.is_paused = True
    with create_session() as db:
        found = db.scalar(select(DagModel).where(DagModel.dag_id == "watched"))
        assert found is not None
        found.is_paused = False
    before = asset_row()
    assert before[2] == ["w"]

    stranger = Site(clock, "us-1", site="us", policy="open")
    stranger.claim("us")
    file = parsed("names_it.py", NAMES_IT.replace("WATCHERS", watchers), bundle="us", reduce=False)
    assert not stranger.report("us", files=(file,)).refused
    assert asset_row() == before
    for paused in (True, False):
        with create_session() as db:
            named = db.scalar(select(DagModel).where(DagModel.dag_id == "names_it"))
            assert named is not None
            named.is_paused = paused
        assert asset_row() == before
    assert "asset_kept" in {getattr(line, "action", "") for line in caplog.records}

    # the same of its own site is Airflow's rule: the last one counts
    file = parsed("names_it.py", NAMES_IT.replace("names_it", "ours").replace("WATCHERS", watchers))
    assert not site.report(files=(file,)).refused
    assert asset_row()[0] == "stranger's"


WITH_A_DEADLINE = """
from datetime import timedelta
from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference
from airflow.providers.standard.operators.empty import EmptyOperator

ALERT = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT,
    interval=timedelta(minutes=5),
    callback=AsyncCallback("site_alerts.tell", {"text": "late"}),
)
with DAG("one", schedule="@hourly", deadline=ALERT):
    EmptyOperator(task_id="a")
"""


@pytest.mark.parametrize("source", [text(schedule="'@hourly'"), WITH_A_DEADLINE], ids=["plain", "deadline"])
@pytest.mark.parametrize("bulk", [False, True])
def test_a_dag_that_is_unpaused_after_days_starts_with_the_latest_interval(
    site: Site, parsed: Parsed, bulk: bool, source: str
) -> None:
    """Airflow works it out with every parse; we are sent the Dag once, perhaps days before it is unpaused."""
    site.claim("main")
    assert not site.report(files=(parsed("one.py", source),)).refused
    deadline = dag().deadline
    assert bool(deadline) == (source is WITH_A_DEADLINE)
    recent = dag().next_dagrun
    assert recent is not None
    with create_session() as db:
        found = db.scalar(select(DagModel))
        assert found is not None
        found.is_paused = True
        found.next_dagrun = found.next_dagrun_create_after = found.next_dagrun_data_interval_start = LONG_AGO
    with create_session() as db:
        db.execute(update(DagModel).values(next_dagrun=LONG_AGO, next_dagrun_create_after=LONG_AGO))
    with create_session() as db:
        if bulk:
            db.execute(update(DagModel).where(DagModel.dag_id == "one").values({"is_paused": False}))
        else:
            found = db.scalar(select(DagModel))
            assert found is not None
            found.is_paused = False
    assert not dag().is_paused
    assert dag().next_dagrun is not None
    assert dag().next_dagrun >= recent
    assert dag().deadline == deadline, "as the parse left it"
