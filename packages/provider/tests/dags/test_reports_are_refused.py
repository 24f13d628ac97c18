"""What the plane does not take of a report of Dags, and what the refusal says."""

from __future__ import annotations

import json

import pytest

from tradewind_protocol import dags as wire
from tradewind_protocol.errors import Code, Refused

from .conftest import Parsed, Site
from .reported import errors, tasks, text


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


def test_what_is_not_a_report_is_refused(site: Site) -> None:
    site.claim("main")
    for body in (b"", b"[]", b"{}", b'{"files": 3}', b"\xff"):
        with pytest.raises(Refused) as refused:
            site.send(body)
        assert refused.value.code is Code.MALFORMED
