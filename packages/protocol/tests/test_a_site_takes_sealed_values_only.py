"""A site that takes values with a seal only: what has none is refused, or is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sealing_kit import OWN, STATE, TI, XCOM, come_back, open_, reported, ring, sent

from tradewind_protocol import values
from tradewind_protocol.boundary import (
    CannotOpen,
    OwnTask,
    classify,
    event_of,
    execution_answer,
    sealed_values,
    triggers_answer,
    why_undeclared,
)
from tradewind_protocol.boundary.sealing import sealed

ALL = frozenset(
    {
        *(sealed_values.XCOM, sealed_values.TASK_STATE, sealed_values.ASSET_STATE),
        *(sealed_values.EVENT_EXTRA, sealed_values.ASSET_EXTRA, sealed_values.EVENT),
    }
)
NO_SEAL = "has no seal, and this site takes sealed ones only"
ASSET = {"name": "orders", "uri": "s3://o", "group": "asset", "extra": {}}
EVENT: dict[str, Any] = {
    "asset": ASSET,
    "extra": {},
    "source_dag_id": "etl",
    "source_run_id": "run 1",
    "source_task_id": "extract",
    "source_map_index": 3,
}
SET_BY_NAME = b"name=orders&key=mark"


@pytest.mark.parametrize(
    ("method", "path", "body", "query"),
    [
        ("GET", XCOM, {"key": "return_value", "value": "planted"}, b""),
        ("GET", XCOM, {"key": "return_value", "value": {"tradewind_sealed": "x"}}, b""),
        ("GET", XCOM, {"key": "return_value", "value": False}, b""),
        ("GET", XCOM, {"key": "return_value", "value": "s3://bucket/planted"}, b""),
        ("GET", f"{XCOM}/item/0", 7, b""),
        ("GET", f"{XCOM}/slice", [None, "planted"], b""),
        ("GET", f"/store/ti/{TI}/handle", {"value": "planted"}, b""),
        ("GET", "/store/asset/by-name/value", {"value": "planted"}, SET_BY_NAME),
        ("GET", "/store/asset/by-uri/value", {"value": {}}, b"uri=s3%3A%2F%2Fo&key=mark"),
        ("GET", "/assets/by-name", {**ASSET, "extra": {"planted": 1}}, b"name=orders"),
        ("GET", "/assets/by-uri", {**ASSET, "extra": "planted"}, b"uri=x"),
        ("GET", "/assets/by-alias", [ASSET, {**ASSET, "extra": {"planted": 1}}], b"name=x"),
        ("GET", "/asset-events/by-asset", {"asset_events": [EVENT, {**EVENT, "extra": {"planted": 1}}]}, b""),
        (
            "GET",
            "/asset-events/by-asset",
            {"asset_events": [{**EVENT, "extra": {"from_rest_api": True, "x": 1}}]},
            b"",
        ),
        (
            "GET",
            "/asset-events/by-asset",
            {"asset_events": [{**EVENT, "extra": {"from_trigger": True, "payload": 1}}]},
            b"",
        ),
        (
            "GET",
            "/asset-events/by-asset",
            {"asset_events": [{**EVENT, "asset": {**ASSET, "extra": {"planted": 1}}}]},
            b"",
        ),
        (
            "GET",
            "/dag-runs/etl/run 1",
            {
                "dag_id": "etl",
                "run_id": "run 1",
                "consumed_asset_events": [{**EVENT, "extra": {"planted": 1}}],
            },
            b"",
        ),
        (
            "PATCH",
            f"/task-instances/{TI}/run",
            {"dag_run": {"consumed_asset_events": [{**EVENT, "extra": {"planted": 1}}]}},
            b"",
        ),
    ],
)
def test_a_value_without_a_seal_is_refused_where_the_owner_demands_one(
    method: str, path: str, body: Any, query: bytes
) -> None:
    come_back(method, path, body, query=query)  # without the demand it is as the plane gives it
    with pytest.raises(CannotOpen, match=NO_SEAL):
        come_back(method, path, body, query=query, required=ALL)
    come_back(method, path, body, query=query, required=frozenset({"another kind"}))


def test_nothing_and_what_airflow_itself_writes_needs_no_seal() -> None:
    skip, run = "/xcoms/etl/run 1/branch/skipmixin_key", "/xcoms/etl/run 1/start/trigger_run_id"
    notice = {"notice": "kept at the site (data policy: strict)"}
    for path, body in (
        (XCOM, {"key": "return_value", "value": None}),
        (skip, {"key": "skipmixin_key", "value": {"followed": ["a"]}}),
        (run, {"key": "trigger_run_id", "value": "manual__1"}),
        (f"/store/ti/{TI}/handle", {"value": None}),
        ("/assets/by-name", {**ASSET, "extra": None}),
        ("/assets/by-name", {**ASSET, "extra": notice}),
        ("/asset-events/by-asset", {"asset_events": [EVENT, {**EVENT, "extra": {"from_rest_api": True}}]}),
        (
            "/asset-events/by-asset",
            {"asset_events": [{**EVENT, "extra": {"from_trigger": True, "payload": None}}]},
        ),
        (
            "/dag-runs/etl/run 1",
            {"dag_id": "etl", "run_id": "run 1", "conf": {"a": 1}, "consumed_asset_events": []},
        ),
        ("/connections/db", {"conn_id": "db", "extra": '{"a": 1}'}),
    ):
        assert come_back("GET", path, body, required=ALL) == body
    with pytest.raises(CannotOpen, match=NO_SEAL):
        come_back(
            "GET", skip, {"key": "skipmixin_key", "value": {"followed": ["a text of a task"]}}, required=ALL
        )


def test_references_leave_sealed_where_the_owner_demands_a_seal() -> None:
    reference = "s3://bucket/key"
    form, carries = sent("POST", XCOM, reference, query=b"map_index=3", references=True)
    assert (set(form), carries) == ({"sealed_by", "tradewind_sealed"}, ("sealed values",))
    back = come_back("GET", XCOM, {"key": "k", "value": form}, query=b"map_index=3", required=ALL)
    assert back["value"] == reference
    path = f"/store/ti/{TI}/handle"
    kept, _ = sent("PUT", path, {"value": {"__airflow_state_ref__": reference}}, references=True)
    assert come_back("GET", path, kept, required=ALL)["value"] == {"__airflow_state_ref__": reference}


def test_an_answer_that_the_gateway_cannot_read_is_none_where_a_seal_is_demanded() -> None:
    found = classify("GET", XCOM)
    deep = b'{"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for body in (b'{"value": "\xff"}', deep, b"{"):
        assert execution_answer(found, body, open_, b"", OWN) == body
        with pytest.raises(CannotOpen, match="cannot be read"):
            execution_answer(found, body, open_, b"", OWN, ALL)
    twice = execution_answer(found, b'{"value": "planted", "value": null}', open_, b"", OWN, ALL)
    assert twice == b'{"value": null}'
    assert execution_answer(found, b"", open_, b"", OWN, ALL) == b""


def test_a_task_resumes_with_a_sealed_event_only_where_the_owner_demands_it() -> None:
    kwargs, _ = sent(
        "PATCH", STATE, {"state": "deferred", "next_method": "resume", "next_kwargs": {"conf": 1}}
    )
    report, _ = reported({"payload": values.pack({"rows": 3})}, OwnTask(TI))

    def resumed(event: Any, encoded: bool = False) -> Any:
        inner = {**kwargs["next_kwargs"], "event": event}
        answer = {
            "next_method": "resume",
            "next_kwargs": {"__type": "dict", "__var": inner} if encoded else inner,
        }
        return come_back("PATCH", f"/task-instances/{TI}/run", answer, required=ALL)["next_kwargs"]

    assert event_of(resumed(report["event"]["payload"])["event"]) == {"rows": 3}
    assert resumed(None)["event"] is None
    for encoded in (False, True):
        assert NO_SEAL in (why_undeclared(resumed({"planted": 1}, encoded)) or "")


def test_a_trigger_that_starts_a_task_reads_sealed_events_of_assets_only() -> None:
    place = ("etl", "task", "wait", "start_trigger_args", "trigger_kwargs")
    arguments = sealed(ring, "site.Trigger", place, {"seconds": 1})
    ti = {"id": TI, "dag_id": "etl", "run_id": "run 1", "task_id": "wait"}

    def created(extra: Any) -> dict[str, Any]:
        run = {"dag_id": "etl", "run_id": "run 1", "consumed_asset_events": [{**EVENT, "extra": extra}]}
        told = {"id": 1, "classpath": "site.Trigger", "arguments": json.dumps(arguments), "ti": ti}
        body = json.dumps({"create": [{**told, "dag_run_data": run}]}).encode()
        answer: dict[str, Any] = json.loads(triggers_answer(body, open_, required=ALL))["create"][0]
        return answer

    assert json.loads(created({})["arguments"]) == {"seconds": 1}
    assert NO_SEAL in json.loads(created({"planted": 1})["arguments"])["tradewind_undeclared"]
