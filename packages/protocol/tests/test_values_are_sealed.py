"""With a key ring, a site's values lie on the plane in a form that it cannot read, and come back for their place only."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import pytest
from sealing_kit import (
    BY,
    OPEN,
    OWN,
    STATE,
    STRICT,
    TI,
    XCOM,
    come_back,
    open_,
    reported,
    ring,
    sent,
    with_key,
)

from tradewind_protocol import values
from tradewind_protocol.boundary import (
    CannotOpen,
    Change,
    OwnRun,
    OwnTask,
    Pass,
    Rejection,
    Sealing,
    StartedBy,
    ValueSeal,
    classify,
    decide,
    event_of,
    execution_answer,
    started_by,
    why_undeclared,
)

ANY_VALUES = [
    {"z": 1, "a": [None, True, 1.5]},
    "a text",
    ["a", "b"],
    7,
    False,
    {"__type": "datetime", "__var": 1.5},
    {"__classname__": "x.Y", "__version__": 1, "__data__": {"b": 1, "a": 2}},
    {"tradewind_sealed": "an author's own text", "sealed_by": "an author"},
]


@pytest.mark.parametrize("value", ANY_VALUES, ids=str)
def test_an_xcom_of_any_form_comes_back_as_it_was(value: Any) -> None:
    form, carries = sent("POST", XCOM, value, query=b"map_index=3&mapped_length=2")
    assert set(form) == {"sealed_by", "tradewind_sealed"}
    assert form["sealed_by"] == BY
    assert carries == ("sealed values",)
    back = come_back("GET", XCOM, {"key": "return_value", "value": form}, query=b"map_index=3")
    assert json.dumps(back["value"]) == json.dumps(value)
    assert json.dumps(come_back("GET", f"{XCOM}/item/0", form)) == json.dumps(value)
    assert come_back("GET", f"{XCOM}/slice", [form, form]) == [value, value]


def test_references_nothing_and_control_keys_are_not_sealed() -> None:
    found = classify("POST", XCOM)
    skip = classify("POST", "/xcoms/etl/run 1/extract/skipmixin_key")
    assert found is not None and skip is not None
    sealing = Sealing(with_key, ValueSeal(ring, BY), OWN)
    assert decide(found, b'"s3://bucket/key"', STRICT, sealing) == Pass(("references",))
    assert decide(found, b"null", STRICT, sealing) == Pass()
    assert isinstance(decide(skip, b'{"followed": ["a"]}', STRICT, sealing), Pass)
    assert isinstance(decide(found, b'"a text"', OPEN, sealing), Pass), "the owner lets XComs leave"


def test_without_a_key_ring_what_looks_sealed_is_a_value_like_any_other() -> None:
    found = classify("POST", XCOM)
    assert found is not None
    body = json.dumps({"sealed_by": BY, "tradewind_sealed": ring("a text of an author")}).encode()
    assert isinstance(decide(found, body, STRICT, Sealing(with_key)), Rejection)
    assert isinstance(decide(found, b'{"tradewind_sealed": "a text with spaces"}', STRICT), Rejection)
    more = json.dumps({"sealed_by": "any text: at all", "tradewind_sealed": ring("x" * 20)}).encode()
    assert isinstance(decide(found, more, STRICT), Rejection), (
        "beside the form stands nothing but site and key"
    )


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/xcoms/other/run 1/extract/return_value", b"map_index=3"),
        ("/xcoms/etl/run 2/extract/return_value", b"map_index=3"),
        ("/xcoms/etl/run 1/load/return_value", b"map_index=3"),
        ("/xcoms/etl/run 1/extract/other", b"map_index=3"),
        (XCOM, b"map_index=4"),
        (XCOM, b""),
    ],
)
def test_the_plane_cannot_give_a_value_for_another(path: str, query: bytes) -> None:
    form, _ = sent("POST", XCOM, "a text", query=b"map_index=3")
    with pytest.raises(
        CannotOpen, match=r"an XCom was asked for, and the plane gave an XCom of etl/run 1/extract/3"
    ):
        come_back("GET", path, {"key": "k", "value": form}, query=query)


def test_a_value_of_an_earlier_run_opens_where_the_task_asks_for_earlier_runs() -> None:
    form, _ = sent("POST", XCOM, "a text")
    path = "/xcoms/etl/run 2/extract/return_value"
    back = come_back("GET", path, {"key": "k", "value": form}, query=b"include_prior_dates=true")
    assert back["value"] == "a text"
    with pytest.raises(CannotOpen):
        come_back("GET", path, {"key": "k", "value": form}, query=b"include_prior_dates=false")


def test_what_was_added_and_a_key_that_is_not_there_are_errors() -> None:
    form, _ = sent("POST", XCOM, "a text")
    with pytest.raises(CannotOpen, match="something was added"):
        come_back("GET", XCOM, {"key": "k", "value": {**form, "more": 1}})
    lost = {**form, "tradewind_sealed": form["tradewind_sealed"].replace("2026-11", "2025-01")}
    with pytest.raises(CannotOpen, match="no key '2025-01'"):
        come_back("GET", XCOM, {"key": "k", "value": lost})


def test_state_of_a_task_survives_its_tries_and_is_no_other_tasks() -> None:
    path = f"/store/ti/{TI}/handle"
    form, _ = sent("PUT", path, {"value": {"id": "x"}, "expires_at": "2027-01-01T00:00:00Z"})
    assert form["expires_at"] == "2027-01-01T00:00:00Z"
    later = f"/store/ti/{uuid4()}/handle"
    assert come_back("GET", later, {"value": form["value"]}) == {"value": {"id": "x"}}
    with pytest.raises(CannotOpen):
        come_back("GET", later, {"value": form["value"]}, own=OwnRun("etl", "run 1", "extract", 4))


def test_state_of_an_asset_is_read_by_its_name_and_by_its_uri() -> None:
    by_name, by_uri = "/store/asset/by-name/value", "/store/asset/by-uri/value"
    form, _ = sent("PUT", by_name, {"value": "x"}, query=b"name=orders&key=mark")
    for path, query in ((by_name, b"name=orders&key=mark"), (by_uri, b"uri=s3%3A%2F%2Forders&key=mark")):
        assert come_back("GET", path, {"value": form["value"]}, query=query) == {"value": "x"}
    for path, query in ((by_name, b"name=other&key=mark"), (by_uri, b"uri=s3%3A%2F%2Forders&key=other")):
        with pytest.raises(CannotOpen):
            come_back("GET", path, {"value": form["value"]}, query=query)


EVENTS = [
    {"dest_asset_key": {"name": "orders", "uri": "s3://o"}, "extra": {"rows": 3}, "partition_key": "eu"},
    {"dest_asset_key": {"name": "orders", "uri": "s3://o"}, "extra": {"rows": 3}, "source_alias_name": "b"},
    {"dest_asset_key": {"name": "empty", "uri": "s3://e"}, "extra": {}},
]


def test_extras_of_asset_events_leave_sealed_and_equal_ones_stay_equal() -> None:
    body, carries = sent("PATCH", STATE, {"state": "success", "outlet_events": EVENTS})
    first, second, empty = body["outlet_events"]
    assert first["extra"]["sealed_by"] == BY
    assert first["extra"] == second["extra"], "Airflow joins events of two aliases by it"
    assert (first["partition_key"], empty["extra"]) == ("eu", {})
    assert carries == ("sealed values",)
    event = {
        "asset": {"name": "orders", "uri": "s3://o", "extra": {}},
        "extra": first["extra"],
        "source_dag_id": "etl",
        "source_run_id": "run 1",
        "source_task_id": "extract",
        "source_map_index": 3,
    }
    read = come_back("GET", "/asset-events/by-asset", {"asset_events": [event]})
    assert read["asset_events"][0]["extra"] == {"rows": 3}
    started = come_back("PATCH", f"/task-instances/{TI}/run", {"dag_run": {"consumed_asset_events": [event]}})
    assert started["dag_run"]["consumed_asset_events"][0]["extra"] == {"rows": 3}
    for name, value in (("source_run_id", "run 2"), ("source_task_id", "load"), ("asset", {"name": "x"})):
        with pytest.raises(CannotOpen):
            come_back("GET", "/asset-events/by-asset", {"asset_events": [{**event, name: value}]})


def test_the_owner_can_leave_extras_and_parameters_as_they_are() -> None:
    found, run = classify("PATCH", STATE), classify("POST", "/dag-runs/reports/r")
    assert found is not None and run is not None
    how = ValueSeal(ring, BY, run_parameters=("*", "!reports"), asset_events=False)
    sealing = Sealing(with_key, how, OWN)
    body = json.dumps({"state": "success", "outlet_events": EVENTS}).encode()
    assert decide(found, body, STRICT, sealing) == Pass(("outlet_events",))
    assert decide(run, b'{"conf": {"a": 1}}', STRICT, sealing) == Pass(("conf",))


def test_parameters_of_a_run_are_that_runs() -> None:
    body, carries = sent("POST", "/dag-runs/child/run 7", {"conf": {"rows": 3}, "note": "a note"})
    assert (body["note"], carries) == ("a note", ("note", "sealed values"))
    run = {"dag_id": "child", "run_id": "run 7", "conf": body["conf"]}
    assert come_back("GET", "/dag-runs/child/run 7", run)["conf"] == {"rows": 3}
    started = come_back(
        "PATCH", f"/task-instances/{TI}/run", {"dag_run": run}, own=OwnRun("child", "run 7", "extract")
    )
    assert started["dag_run"]["conf"] == {"rows": 3}
    with pytest.raises(CannotOpen, match="the parameters of a run"):
        come_back("PATCH", f"/task-instances/{TI}/run", {"dag_run": {**run, "run_id": "run 8"}})
    own = {"dag_id": "child", "run_id": "run 8", "conf": {"rows": 4}}
    assert come_back("GET", "/dag-runs/child/run 8", own)["conf"] == {"rows": 4}, (
        "what a user typed is as it is"
    )


def test_the_parameters_of_another_run_are_not_opened_for_a_task() -> None:
    body, _ = sent("POST", "/dag-runs/payments/run 7", {"conf": {"iban": "DE1"}})
    other = {"dag_id": "payments", "run_id": "run 7", "conf": body["conf"]}
    with pytest.raises(CannotOpen, match="asked for"):
        come_back("PATCH", f"/task-instances/{TI}/run", {"dag_run": other})
    for path in ("/dag-runs/etl/run 1", "/dag-runs/payments/run 8"):
        with pytest.raises(CannotOpen, match="asked for"):
            come_back("GET", path, other)


def test_a_site_knows_which_of_its_tasks_has_started_a_run() -> None:
    found = classify("POST", "/dag-runs/child/run 7")
    assert found is not None
    starts = Sealing(with_key, ValueSeal(ring, BY), OWN, at=1_800_000_000)
    decision = decide(found, b'{"conf": {"rows": 3}}', STRICT, starts)
    assert isinstance(decision, Change)
    conf, mine = json.loads(decision.body)["conf"], OwnRun("child", "run 7")

    def told(conf: Any, own: OwnRun | None = mine, body: bytes = b"") -> Any:
        answer = json.dumps({"dag_run": {"dag_id": "child", "run_id": "run 7", "conf": conf}}).encode()
        return started_by(body or answer, open_, own)

    assert told(conf) == StartedBy("etl", 1_800_000_000)
    escaped = json.dumps({"dag_run": {"conf": conf}}).replace("tradewind_sealed", "tradewind_se\\u0061led")
    assert told(None, body=escaped.encode()) == StartedBy("etl", 1_800_000_000)
    xcom, _ = sent("POST", XCOM, {"rows": 3})
    lost = {**conf, "tradewind_sealed": conf["tradewind_sealed"].replace("2026-11", "2025-01")}
    for other in ({"rows": 3}, None, {}, {**conf, "rows": 4}, xcom, lost):
        assert told(other) is None, other
    for own in (OwnRun("child", "run 8"), OwnRun("other", "run 7"), None):
        assert told(conf, own) is None, "of another run, or of none"
    for body in (b"null", b"{", b'{"dag_run": "tradewind_sealed"}'):
        assert told(conf, body=body) is None


def test_an_answer_of_an_odd_form_is_opened_or_an_error_with_its_reason() -> None:
    body, _ = sent("POST", XCOM, {"a": 1}, query=b"map_index=3")
    answer = json.dumps({"key": "return_value", "value": body})
    found = classify("GET", XCOM)
    assert found is not None
    escaped = answer.replace("tradewind_sealed", "tradewind_se\\u0061led").encode()
    assert json.loads(execution_answer(found, escaped, open_, b"map_index=3", OWN))["value"] == {"a": 1}
    run = classify("GET", "/dag-runs/etl/run 1")
    deep = b'{"a":' * 900 + b'{"tradewind_sealed":"x"}' + b"}" * 900
    with pytest.raises(CannotOpen, match="nested"):
        execution_answer(run, deep, open_, b"", OWN)


def test_a_deferral_is_sealed_with_the_ring_and_a_lost_key_is_named() -> None:
    deferred = {
        "state": "deferred",
        "classpath": "site.Trigger",
        "trigger_kwargs": {"query": "x"},
        "next_method": "resume",
        "next_kwargs": {"handle": "y"},
    }
    body, _ = sent("PATCH", STATE, deferred)
    assert body["trigger_kwargs"]["sealed_by"] == body["next_kwargs"]["sealed_by"] == BY

    def resumed(kwargs: Any) -> Any:
        answer = {"dag_run": {"dag_id": "etl"}, "next_method": "resume", "next_kwargs": kwargs}
        return come_back("PATCH", f"/task-instances/{TI}/run", answer)["next_kwargs"]

    assert resumed({**body["next_kwargs"], "event": {"rows": 1}}) == {"handle": "y", "event": {"rows": 1}}
    lost = {**body["next_kwargs"]}
    lost["tradewind_sealed"] = lost["tradewind_sealed"].replace("2026-11", "2025-01")
    assert "cannot be opened: no key '2025-01'" in (why_undeclared(resumed(lost)) or "")


MOMENT = datetime(2026, 11, 29, tzinfo=timezone.utc)


def test_the_event_of_a_trigger_is_its_tasks_alone() -> None:
    payload = values.pack({"rows": 3, "at": MOMENT})
    report, carries = reported({"payload": payload}, OwnTask(TI))
    sealed = report["event"]["payload"]
    assert (sealed["sealed_by"], carries) == (BY, ("sealed values",))
    kwargs, _ = sent("PATCH", STATE, {"state": "deferred", "next_method": "resume", "next_kwargs": {}})

    def resumed(ti: str, event: Any) -> Any:
        answer = {"next_method": "resume", "next_kwargs": {**kwargs["next_kwargs"], "event": event}}
        return come_back("PATCH", f"/task-instances/{ti}/run", answer)["next_kwargs"]

    assert event_of(resumed(TI, sealed)["event"]) == {"rows": 3, "at": MOMENT}
    other, _ = reported({"payload": payload}, OwnTask(str(uuid4())))
    assert "the plane gave the event of a trigger" in (
        why_undeclared(resumed(TI, other["event"]["payload"])) or ""
    )
    # Airflow's older form of the same
    encoded = {
        "__type": "dict",
        "__var": {**kwargs["next_kwargs"], "event": {"__type": "dict", "__var": sealed}},
    }
    answer = {"next_method": "resume", "next_kwargs": encoded}
    read = come_back("PATCH", f"/task-instances/{TI}/run", answer)["next_kwargs"]
    assert event_of(read["__var"]["event"]["__var"]) == {"rows": 3, "at": MOMENT}


def test_the_event_of_a_callback_is_what_the_plane_reads() -> None:
    report, carries = reported({"payload": {"state": "success", "body": "x"}}, None)
    assert report["event"]["payload"] == {"state": "success", "body": "x"}
    assert carries == ("event payload",)


def test_the_event_of_a_watched_asset_is_read_by_its_consumer() -> None:
    report, _ = reported({"payload": {"file": "x"}}, OwnTask())
    extra = {"from_trigger": True, "payload": report["event"]["payload"]}
    event = {"asset": {"name": "orders"}, "extra": extra, "source_dag_id": None}
    read = come_back("GET", "/asset-events/by-asset", {"asset_events": [event]})
    assert read["asset_events"][0]["extra"] == {"from_trigger": True, "payload": {"file": "x"}}


def test_an_xcom_of_a_trigger_that_ends_its_task_is_sealed_for_the_task() -> None:
    waits = OwnTask(TI, "etl", "run 1", "extract", 3)
    event = {"end_state": "success", "xcoms": {"return_value": {"a": 1}, "at": "s3://bucket/key"}}
    report, carries = reported(event, waits)
    form = report["event"]["xcoms"]["return_value"]
    assert report["event"]["xcoms"]["at"] == "s3://bucket/key"
    assert set(carries) == {"sealed values", "references"}
    assert come_back("GET", XCOM, {"key": "k", "value": form}, query=b"map_index=3")["value"] == {"a": 1}
    as_text = {"key": "k", "value": json.dumps(form)}
    assert come_back("GET", XCOM, as_text, query=b"map_index=3")["value"] == {"a": 1}, "as the plane keeps it"
    odd, _ = reported({"end_state": "success", "xcoms": {"k": values.pack({"at": MOMENT})}}, waits)
    assert odd["failure"] is not None, "a value that JSON has no form for stays"
