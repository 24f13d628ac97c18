"""Reports of Dags, on Airflow's real tables: what the UI and the scheduler find there afterwards."""

from __future__ import annotations

import builtins
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import airflow.example_dags
import pytest
from airflow.models.asset import AssetModel
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagcode import DagCode
from airflow.models.dagwarning import DagWarning
from airflow.models.errors import ParseImportError
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.trigger import Trigger
from sqlalchemy import delete, event, func, insert, select, update
from sqlalchemy.orm import Session

from tradewind_protocol import dags as wire
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.airflow import dag_checks, dag_source
from tradewind_provider.airflow.database import create_session
from tradewind_provider.store.dag_tables import DagFile

from .conftest import Clock, Parsed, Site, parse_file

LONG_AGO = datetime(2025, 1, 1, tzinfo=timezone.utc)

DAG = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG({dag_id!r}, schedule={schedule}, start_date=__import__("datetime").datetime(2024, 1, 1), tags=["t"]):
    EmptyOperator(task_id={task_id!r})
"""


def text(dag_id: str = "one", task_id: str = "a", schedule: str = "None") -> str:
    return DAG.format(dag_id=dag_id, task_id=task_id, schedule=schedule)


def dag(dag_id: str = "one") -> DagModel:
    with create_session() as db:
        found = db.scalar(select(DagModel).where(DagModel.dag_id == dag_id))
        assert found is not None, f"there is no Dag {dag_id}"
        return found


def tasks(dag_id: str = "one") -> list[str]:
    with create_session() as db:
        row = db.scalar(SerializedDagModel.latest_item_select_object(dag_id))
        assert row is not None
        return [task["__var"]["task_id"] for task in row.data["dag"]["tasks"]]


def errors() -> dict[str, str]:
    with create_session() as db:
        return {row.filename: row.stacktrace for row in db.scalars(select(ParseImportError))}


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


def test_one_malformed_dag_is_refused_and_everything_else_is_stored(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    mixed = parsed("mixed.py", text("good") + text("bad"))
    spoiled = [one for one in mixed.dags if one["dag"]["dag_id"] == "good"]
    spoiled.append({"__version": 3, "dag": {"dag_id": "bad", "relative_fileloc": "mixed.py", "tasks": 7}})
    body = json.loads(
        wire.Report(
            instance=site.instance, bundle="main", files=(parsed("fine.py", text("fine")),)
        ).model_dump_json()
    )
    body["files"].append(json.loads(mixed.model_copy(update={"dags": tuple(spoiled)}).model_dump_json()))
    body["files"].append({"path": "../../etc/passwd", "content": "ab"})
    body["files"].append("nonsense")
    told = site.send(json.dumps(body).encode())
    assert set(told.stored) == {"fine.py", "mixed.py"}
    assert {(one.path, one.dag_id, one.refusal.error) for one in told.refused} == {
        ("../../etc/passwd", "", Code.MALFORMED),
        ("", "", Code.MALFORMED),
        ("mixed.py", "bad", Code.MALFORMED),
    }
    assert "'bad'" in errors()["mixed.py"]
    assert tasks("good") == ["a"]


@pytest.mark.parametrize(
    "dag_id",
    ["", "x" * 251, "a/b", "a b"],
)
def test_an_id_airflow_would_not_take_is_refused(site: Site, parsed: Parsed, dag_id: str) -> None:
    site.claim("main")
    file = parsed("one.py", text())
    data = {**file.dags[0], "dag": {**file.dags[0]["dag"], "dag_id": dag_id}}
    told = site.report(files=(file.model_copy(update={"dags": (data,)}),))
    assert told.refused[0].refusal.error is Code.MALFORMED
    assert "one.py" in told.refused[0].refusal.message


@pytest.mark.parametrize(
    ("executor", "taken"),
    [
        ("RemoteExecutor", True),
        ("tradewind_provider.executor.RemoteExecutor", True),
        ("LocalExecutor", False),
        ("NoSuchExecutor", False),
    ],
)
def test_a_task_for_another_executor_than_that_of_agents_is_an_import_error(
    site: Site, parsed: Parsed, executor: str, taken: bool
) -> None:
    site.claim("main")
    file = parsed("one.py", text(task_id="choosy"))
    data = json.loads(json.dumps(file.dags[0]))
    data["dag"]["tasks"][0]["__var"]["executor"] = executor
    told = site.report(files=(file.model_copy(update={"dags": (data,)}),))
    if taken:
        assert (told.refused, errors()) == ((), {})
        return
    assert told.refused[0].refusal.error is Code.MALFORMED
    assert "'choosy'" in errors()["one.py"]
    assert (
        f"specifies executor {executor!r}; what came from an agent runs on agents alone" in errors()["one.py"]
    )


@pytest.mark.parametrize(
    ("own", "attribute"),
    [
        ("timetable", "timetables"),
        ("weight_rule", "priority_weight_strategies"),
    ],
)
def test_a_class_that_only_the_site_has_is_named_with_what_the_plane_needs(
    site: Site, parsed: Parsed, own: str, attribute: str
) -> None:
    site.claim("main")
    file = parsed("own.py", text("own"))
    [stored] = file.dags
    inside = stored["dag"]
    if own == "timetable":
        inside["timetable"] = {"__type": "owners_plugin.Owners", "__var": {}}
    else:
        inside["tasks"][0]["__var"]["weight_rule"] = "owners_plugin.Owners"
    told = site.report(files=(file,))
    assert told.refused[0].refusal.error is Code.MALFORMED
    shown = errors()["own.py"]
    assert "owners_plugin.Owners" in shown
    assert f"install the plugin that lists it in `{attribute}`" in shown
    assert "every scheduler and API server of the plane" in shown


def test_a_file_with_a_refused_dag_is_sent_again_with_the_next_claim_and_not_before(
    site: Site, parsed: Parsed
) -> None:
    """A plane that was given the class, or upgraded, is started anew: agents then claim their bundles."""
    site.claim("main")
    file = parsed("own.py", text("good") + text("own"))
    for stored in file.dags:
        if stored["dag"]["dag_id"] == "own":
            stored["dag"]["timetable"] = {"__type": "owners_plugin.Owners", "__var": {}}
    told = site.report(files=(file, parsed("plain.py", text("plain"))))
    assert set(told.stored) == {"own.py", "plain.py"}
    assert (told.resend, site.watch().claim) == ((), ())
    held = {one.path: one.content for one in site.claim("main").bundles[0].files}
    assert held["own.py"] == ""
    assert held["plain.py"]


def test_a_dag_cannot_say_that_it_is_in_another_file(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    file = parsed("one.py", text())
    data = {**file.dags[0], "dag": {**file.dags[0]["dag"], "relative_fileloc": "other.py"}}
    told = site.report(files=(file.model_copy(update={"dags": (data,)}),))
    assert told.refused[0].refusal.error is Code.MALFORMED


def test_a_dag_that_is_too_large_is_refused_by_name(
    site: Site, parsed: Parsed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LARGEST_DAG", 500)
    site.claim("main")
    told = site.report(files=(parsed("one.py", text()),))
    assert told.refused[0].refusal.error is Code.TOO_LARGE
    assert "'one'" in told.refused[0].refusal.message
    assert "one.py" in errors()


def test_a_dag_keeps_its_id_while_a_dag_processor_of_the_plane_has_its_bundle_inactive(
    site: Site, clock: Clock, parsed: Parsed
) -> None:
    """Airflow makes every bundle inactive that its own configuration does not name, at each start of a dag processor. A
    hostile agent beside two sites took a Dag in that moment."""
    intruder = Site(clock, "evil-1", site="evil")
    site.claim("main")
    intruder.claim("theirs")
    site.report(files=(parsed("one.py", text()),))
    with create_session() as db:
        db.execute(update(DagBundleModel).where(DagBundleModel.name == "main").values(active=False))
    intruder.report("theirs", files=(parsed("copy.py", text(task_id="stolen"), bundle="theirs"),))
    assert dag().bundle_name == "main"
    assert tasks() == ["a"]
    assert "belongs to one.py of bundle 'main'" in errors()["copy.py"]


def test_a_dag_id_of_another_bundle_is_not_taken_until_it_is_free(
    site: Site, clock: Clock, parsed: Parsed
) -> None:
    other = Site(clock, "us-1")
    site.claim("main")
    other.claim("theirs")
    site.report(files=(parsed("one.py", text()),))
    file = parsed("copy.py", text(task_id="stolen"), bundle="theirs")
    told = other.report("theirs", files=(file,))
    assert "copy.py" in told.stored
    assert dag().bundle_name == "main"
    assert tasks() == ["a"]
    assert "belongs to one.py of bundle 'main'" in errors()["copy.py"]
    site.report(removed=("one.py",))
    assert other.watch().claim == ("theirs",)
    held = other.claim("theirs").bundles[0].files
    assert [(one.path, one.content) for one in held] == [("copy.py", "")]
    other.report("theirs", files=(file,))
    assert dag().bundle_name == "theirs"
    assert errors() == {}


def test_two_files_with_one_dag_id_do_not_take_it_from_each_other(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    first, second = parsed("a.py", text(task_id="a")), parsed("b.py", text(task_id="b"))
    site.report(files=(first, second))
    assert tasks() == ["a"]
    assert "Dag id 'one' belongs to a.py of this bundle" in errors()["b.py"]
    told = site.report(files=(parsed("a.py", text("renamed")),))
    assert told.resend == ("b.py",)
    site.report(files=(second,))
    assert tasks() == ["b"]
    assert errors() == {}


def test_another_commit_with_the_same_dags_moves_them_without_sending_them(
    site: Site, parsed: Parsed
) -> None:
    site.claim("main", versioned=True)
    file = parsed("one.py", text())
    site.report(files=(file,), version="first")
    told = site.report(same=(wire.FileSame(path="one.py", content=file.content),), version="second")
    assert told.stored == ("one.py",)
    assert dag().bundle_version == "second"
    with create_session() as db:
        assert db.scalars(select(DagVersion.bundle_version)).all() == ["second"]
    other = site.report(same=(wire.FileSame(path="one.py", content="ab"),), version="third")
    assert other.resend == ("one.py",)
    assert dag().bundle_version == "second"


def test_a_dag_somebody_deleted_is_asked_for_again(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    site.report(files=(parsed("one.py", text()), parsed("two.py", text("two"))))
    assert site.watch().claim == ()
    with create_session() as db:
        db.execute(delete(SerializedDagModel).where(SerializedDagModel.dag_id == "one"))
        db.execute(delete(DagModel).where(DagModel.dag_id == "one"))
    assert site.watch().claim == ("main",)
    held = {one.path: one.content for one in site.claim("main").bundles[0].files}
    assert held["one.py"] == ""
    assert held["two.py"]


def test_a_bundle_another_process_switched_off_is_on_again(site: Site) -> None:
    site.claim("main")
    with create_session() as db:
        db.execute(update(DagBundleModel).values(active=False))
    site.watch()
    with create_session() as db:
        assert db.scalar(select(DagBundleModel.active)) is True


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


def test_what_is_not_a_report_is_refused(site: Site) -> None:
    site.claim("main")
    for body in (b"", b"[]", b"{}", b'{"files": 3}', b"\xff"):
        with pytest.raises(Refused) as refused:
            site.send(body)
        assert refused.value.code is Code.MALFORMED


def test_the_timetable_of_a_dag_that_is_to_be_stored_is_read_once(parsed: Parsed):
    result = parsed("one.py", text(schedule="'@daily'"))
    checked = dag_checks.checked("main", "one.py", result.dags[0])
    assert checked.timetable is checked.timetable
    assert checked.timetable.summary == "0 0 * * *"
