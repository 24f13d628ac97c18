"""Reports of Dags, on Airflow's real tables: what the UI and the scheduler find there afterwards."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import airflow.example_dags
import pytest
from airflow.models.asset import AssetModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagcode import DagCode
from airflow.models.dagwarning import DagWarning
from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy import event, func, insert, select, update
from sqlalchemy.orm import Session

from tradewind_protocol import dags as wire
from tradewind_provider.airflow import dag_checks, dag_source
from tradewind_provider.airflow.database import create_session
from tradewind_provider.store.dag_tables import DagFile

from .conftest import Clock, Parsed, Site, parse_file
from .reported import dag, errors, tasks, text


def test_a_reported_dag_is_what_airflow_would_have_stored(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    told = site.report(files=(parsed("sub/one.py", text()),), version="abc")
    assert told.stored == ("sub/one.py",)
    assert not told.refused
    found = dag()
    assert (found.bundle_name, found.bundle_version, found.relative_fileloc) == ("main", "abc", "sub/one.py")
    assert found.fileloc == "/dev/null/main/sub/one.py"
    assert not found.is_stale
    assert tasks() == ["a"]


SHARES = """
from airflow.sdk import DAG, Asset
with DAG("shares", schedule=[Asset("shared")]):
    pass
"""


def test_a_file_is_stored_although_another_site_reports_the_same_asset_at_that_moment(
    site: Site, parsed: Parsed
) -> None:
    """Two sites came up together, and the Dags of one stayed away until somebody touched the file."""
    clashed: list[str] = []

    def other_site_is_first(session: Session, *_: Any) -> None:
        if not clashed and any(isinstance(row, AssetModel) for row in session.new):
            clashed.append("shared")
            session.connection().execute(
                insert(AssetModel).values(name="shared", uri="shared", group="asset")
            )

    event.listen(Session, "before_flush", other_site_is_first)
    try:
        site.claim("main")
        told = site.report(files=(parsed("shares.py", SHARES),))
    finally:
        event.remove(Session, "before_flush", other_site_is_first)
    assert clashed
    assert (told.stored, told.refused) == (("shares.py",), ())
    assert not errors()
    assert not dag("shares").is_stale


def test_airflows_example_dags_are_all_stored(site: Site, clock: Clock) -> None:
    place = Path(next(iter(airflow.example_dags.__path__)))
    files = [
        parse_file(place, file)
        for file in sorted(place.glob("example_*.py"))[:25]
        if "kubernetes" not in file.name
    ]
    expected = sum(len(file.dags) for file in files)
    assert expected > 15
    site.claim("main")
    told = site.report(files=tuple(files))
    assert len(told.stored) == len(files)
    assert not told.refused
    with create_session() as db:
        assert db.scalar(select(func.count()).select_from(SerializedDagModel)) == expected


def test_a_path_an_agent_named_is_never_opened(
    site: Site, parsed: Parsed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the plane's own file")
    file = parsed("one.py", text())
    data: dict[str, Any] = dict(file.dags[0])
    data["dag"] = {**data["dag"], "fileloc": str(secret)}
    opened: list[str] = []
    real = builtins.open

    def watching(path: Any, *rest: Any, **named: Any) -> Any:
        opened.append(str(path))
        return real(path, *rest, **named)

    site.claim("main")
    monkeypatch.setattr(builtins, "open", watching)
    site.report(files=(file.model_copy(update={"dags": (data,)}),))
    monkeypatch.undo()
    assert str(secret) not in opened
    assert not [path for path in opened if path.endswith("one.py")]
    with create_session() as db:
        code = db.scalar(select(DagCode))
        assert code is not None
        assert code.fileloc == "/dev/null/main/one.py"
        assert code.source_code == dag_source.notice("eu-1")


def sources() -> list[str]:
    with create_session() as db:
        return list(db.scalars(select(DagCode.source_code)))


def test_source_is_shown_when_the_site_sends_it_and_follows_its_changes(clock: Clock, parsed: Parsed) -> None:
    site = Site(clock, policy="open")
    site.claim("main")
    site.report(files=(parsed("one.py", text(), source={"one.py": "# first"}),))
    site.report(files=(parsed("one.py", text(), source={"one.py": "# second"}, content="ab"),))
    assert sources() == ["# second"]


def test_source_is_not_kept_where_the_boundary_is_strict_even_if_it_was_sent(
    site: Site, parsed: Parsed
) -> None:
    site.claim("main")
    site.report(files=(parsed("one.py", text(), source={"one.py": "# private"}),))
    assert sources() == [dag_source.notice("eu-1")]


def test_two_changes_within_seconds_are_both_stored(site: Site, parsed: Parsed) -> None:
    """Airflow writes a serialized Dag at most every 30 s and counts on the next parse; a change is sent to us once."""
    site.claim("main")
    site.report(files=(parsed("one.py", text(task_id="a")),))
    site.report(files=(parsed("one.py", text(task_id="b")),))
    assert tasks() == ["b"]


def test_the_same_report_again_changes_nothing(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    file = parsed("one.py", text())
    claimed = site.marks["main"]
    first = site.report(files=(file,), removed=("gone.py",))
    assert (first.before, first.mark) == (claimed, site.marks["main"])
    assert first.before != first.mark
    before = dag().last_parsed_time
    again = site.report(files=(file,), removed=("gone.py",))
    assert set(again.stored) == set(first.stored)
    assert dag().last_parsed_time == before
    with create_session() as db:
        assert db.scalar(select(func.count()).select_from(DagVersion)) == 1


def test_a_dag_that_left_its_file_goes_stale_and_comes_back_when_it_does(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    site.report(files=(parsed("two.py", text("one") + text("two")),))
    site.report(files=(parsed("two.py", text("two")),))
    assert dag("one").is_stale
    assert not dag("two").is_stale
    site.report(files=(parsed("two.py", text("one") + text("two")),))
    assert not dag("one").is_stale


def test_a_removed_file_takes_its_dags_errors_and_warnings_along(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    warning = wire.DagWarning(dag_id="one", warning_type="runtime varying value", message="now()")
    site.report(
        files=(
            parsed("one.py", text(), warnings=(warning,)),
            parsed("bad.py", "from airflow.sdk import DAG\nx\n"),
        )
    )
    assert "NameError" in errors()["bad.py"]
    with create_session() as db:
        assert db.scalar(select(DagWarning.message)) == "now()"
    site.report(removed=("one.py", "bad.py"))
    assert dag().is_stale
    assert errors() == {}
    with create_session() as db:
        assert db.scalar(select(DagWarning)) is None
        assert db.scalars(select(DagFile)).all() == []


def test_a_mended_file_clears_its_error(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    site.report(files=(parsed("one.py", text()),))
    site.report(files=(parsed("one.py", "from airflow.sdk import DAG\nx\n"),))
    assert dag().is_stale
    assert dag().has_import_errors
    site.report(files=(parsed("one.py", text()),))
    assert errors() == {}
    assert not dag().is_stale


def test_a_bundle_another_process_switched_off_is_on_again(site: Site) -> None:
    site.claim("main")
    with create_session() as db:
        db.execute(update(DagBundleModel).values(active=False))
    site.watch()
    with create_session() as db:
        assert db.scalar(select(DagBundleModel.active)) is True


def test_the_timetable_of_a_dag_that_is_to_be_stored_is_read_once(parsed: Parsed):
    result = parsed("one.py", text(schedule="'@daily'"))
    checked = dag_checks.checked("main", "one.py", result.dags[0])
    assert checked.timetable is checked.timetable
    assert checked.timetable.summary == "0 0 * * *"
