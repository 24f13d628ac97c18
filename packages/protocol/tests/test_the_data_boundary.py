"""What may leave a site under strict rules, and what each refusal says."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from tradewind_protocol.boundary import (
    ROUTES,
    Caller,
    Change,
    Decision,
    LocalAnswer,
    Owner,
    Pass,
    Rejection,
    Rules,
    admit,
    classify,
    decide,
    is_reference,
    unknown,
)
from tradewind_protocol.errors import Code
from tradewind_protocol.sessions import Policy

STRICT = Rules()
OPEN = Rules.of(Policy.OPEN)
XCOM = "/xcoms/etl/manual__2026-11-21T00:00:00+00:00/extract/"
TI, OTHER_TI = str(uuid4()), str(uuid4())


def judge(method: str, path: str, value: Any = None, rules: Rules = STRICT) -> Decision:
    found = classify(method, path)
    assert found is not None, f"{method} {path} is no known route"
    return decide(found, b"" if value is None else json.dumps(value).encode(), rules)


@pytest.mark.parametrize(
    "reference",
    [
        "s3://bucket/xcom/etl/run/extract/1.json",
        "s3://my_connection@bucket/key",
        "abfss://container@account.dfs.core.windows.net/key",
        "gs://bucket/key with a space",
        "file:///var/lib/site/xcom/1.json",
    ],
)
def test_a_reference_to_the_sites_storage_leaves(reference: str) -> None:
    assert judge("POST", XCOM + "return_value", reference) == Pass(("references",))


@pytest.mark.parametrize(
    "value",
    [
        {"customer": "Ada"},
        [1, 2, 3],
        "plain text",
        42,
        True,
        "https://bucket.s3.amazonaws.com/key?X-Amz-Signature=abc",
        "s3://bucket/key?sig=a-signature-opens-it-to-anyone",
        "s3://key:secret@bucket/key",
        "s3://bucket",
        "s3:bucket/key",
        "s3://bucket/" + "x" * 3000,
        "s3://bucket/key\nand a value",
        {"__classname__": "x", "__data__": "s3://bucket/key"},
    ],
)
def test_a_value_does_not_leave_and_the_error_says_what_to_configure(value: Any) -> None:
    refused = judge("POST", XCOM + "return_value", value)
    assert isinstance(refused, Rejection)
    assert refused.status == 403
    assert "'return_value' of task 'extract' of Dag 'etl'" in refused.message
    assert "tradewind_runtime.xcom.SiteXComBackend" in refused.remedy
    assert "Ada" not in refused.body.decode()


def test_the_refusal_is_one_for_the_task_sdk_too() -> None:
    refused = judge("POST", XCOM + "return_value", [1])
    assert isinstance(refused, Rejection)
    body = json.loads(refused.body)
    assert body["error"] == body["detail"]["reason"] == "policy_refused"
    assert body["detail"]["message"] == body["message"]


def test_nothing_may_leave_as_nothing() -> None:
    assert judge("POST", XCOM + "return_value", None) == Pass()
    found = classify("POST", XCOM + "return_value")
    assert found is not None
    assert decide(found, b"null", STRICT) == Pass()
    assert isinstance(decide(found, b"{not json", STRICT), Rejection)


@pytest.mark.parametrize(
    ("key", "value", "leaves"),
    [
        ("skipmixin_key", {"followed": ["a", "group.b"]}, True),
        ("skipmixin_key", {"skipped": []}, True),
        ("skipmixin_key", {"followed": ["a"], "data": 1}, False),
        ("skipmixin_key", {"followed": ["a value with spaces"]}, False),
        ("skipmixin_key", {"followed": "a"}, False),
        ("trigger_run_id", "manual__2026-11-21T00:00:00+00:00", True),
        ("trigger_run_id", "a value with spaces", False),
        ("trigger_run_id", {"a": 1}, False),
        ("another_key", "manual__1", False),
    ],
)
def test_airflows_control_keys_leave_only_in_their_exact_form(key: str, value: Any, leaves: bool) -> None:
    assert isinstance(judge("POST", XCOM + key, value), Pass) is leaves


def test_a_link_is_dropped_without_failing_the_task() -> None:
    answer = judge("POST", XCOM + "_link_BigQueryTableLink", "https://console.example/secret-project")
    assert isinstance(answer, LocalAnswer)
    assert answer.status == 201
    assert isinstance(
        judge("POST", XCOM + "_link_X", "https://x", Rules(links=Policy.OPEN, xcom=Policy.OPEN)), Pass
    )


@pytest.mark.parametrize(
    ("value", "leaves"),
    [
        ({"__airflow_state_ref__": "s3://bucket/state/1"}, True),
        ({"__airflow_state_ref__": '{"raw": "value"}'}, False),
        ("s3://bucket/state/1", True),
        ({"cursor": 17}, False),
        (17, False),
    ],
)
@pytest.mark.parametrize(
    "path", [f"/store/ti/{TI}/cursor", "/store/asset/by-name/value", "/store/asset/by-uri/value"]
)
def test_a_state_store_keeps_references_only(path: str, value: Any, leaves: bool) -> None:
    decision = judge("PUT", path, {"value": value, "expires_at": None})
    assert isinstance(decision, Pass if leaves else Rejection)
    if isinstance(decision, Rejection):
        assert "state_store_backend" in decision.remedy


def test_rendered_fields_are_replaced_one_by_one() -> None:
    change = judge(
        "PUT", f"/task-instances/{TI}/rtif", {"sql": "select * from patients", "env": {"KEY": "s"}}
    )
    assert isinstance(change, Change)
    assert set(json.loads(change.body)) == {"sql", "env"}
    assert b"patients" not in change.body
    assert change.what == "2 rendered fields replaced by a notice"


def test_the_planes_connections_and_variables_look_as_if_there_were_none() -> None:
    for path in ("/connections/warehouse", "/variables/a/key/with/slashes"):
        answer = judge("GET", path)
        assert isinstance(answer, LocalAnswer)
        assert answer.status == 404, "a 403 would end the Task SDK's search in other backends"
        assert json.loads(answer.body)["detail"]["reason"] == "not_found"
    keys = judge("GET", "/variables/keys")
    assert isinstance(keys, LocalAnswer)
    assert json.loads(keys.body) == {"keys": [], "total_entries": 0}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_the_planes_variables_are_not_written(method: str) -> None:
    refused = judge(method, "/variables/limit", {"value": "5"})
    assert isinstance(refused, Rejection)
    assert refused.code is Code.POLICY_REFUSED
    assert refused.remedy


def test_what_a_dag_author_chose_to_send_is_named_for_the_ledger() -> None:
    deferred = {"state": "deferred", "trigger_kwargs": {"a": 1}, "next_kwargs": {}, "classpath": "x"}
    assert judge("PATCH", f"/task-instances/{TI}/state", deferred) == Pass(("trigger_kwargs",))
    assert judge("PATCH", f"/task-instances/{TI}/state", {"state": "failed"}) == Pass()
    assert judge("POST", "/dag-runs/other/run1", {"conf": {"a": 1}}) == Pass(("conf",))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_open_rules_let_every_route_pass(route: Any) -> None:
    path = route.template.replace("{task_instance_id}", TI).replace("{connection_test_id}", TI)
    for name in ("dag_id", "run_id", "task_id", "key:path", "offset", "connection_id", "variable_key:path"):
        path = path.replace("{" + name + "}", "1")
    found = classify(route.method, path)
    assert found is not None
    assert found.route is route
    assert isinstance(decide(found, b'{"value": {"raw": 1}}', OPEN), Pass)


def test_each_kind_can_be_opened_alone() -> None:
    rules = Rules(xcom=Policy.OPEN)
    assert isinstance(judge("POST", XCOM + "k", {"a": 1}, rules), Pass)
    assert isinstance(judge("GET", "/connections/c", rules=rules), LocalAnswer)
    assert rules.policy is Policy.OPEN, "the plane's proxy must not refuse what the site allows"
    assert rules.at_least(Policy.STRICT) == Rules()
    assert rules.at_least(Policy.OPEN) == rules
    assert Rules().policy is Policy.STRICT


def test_an_unknown_route_is_refused_by_name_unless_everything_is_open() -> None:
    assert classify("POST", "/new-in-airflow-9/thing") is None
    refused = unknown("POST", "/new-in-airflow-9/thing", STRICT)
    assert isinstance(refused, Rejection)
    assert "POST /new-in-airflow-9/thing" in refused.message
    assert isinstance(unknown("POST", "/x", Rules(xcom=Policy.OPEN)), Rejection)
    assert isinstance(unknown("POST", "/x", OPEN), Pass)


@pytest.mark.parametrize(
    "path",
    [
        "/xcoms/d/r/t/../../../connections/c",
        "/xcoms/d/r/t/k/..",
        "/variables/./a",
        "/xcoms/d/r/t/a\nb",
        "variables/a",
        "",
    ],
)
def test_a_path_that_could_be_read_in_two_ways_is_no_route(path: str) -> None:
    assert classify("GET", path) is None


@pytest.mark.parametrize("rules", [STRICT, OPEN])
@pytest.mark.parametrize("path", ["/variables/a/../b", "/xcoms/d/r/t/a\nb", "/xcoms/d/r/t/\x00"])
def test_such_a_path_is_refused_for_what_it_is_and_not_by_policy(path: str, rules: Rules) -> None:
    refused = unknown("GET", path, rules)
    assert isinstance(refused, Rejection)
    assert refused.code is Code.MALFORMED
    assert "cannot be sent" in refused.message
    assert "upgrade" not in refused.remedy


ODD = [
    "a\\b",
    "\u00a0",
    "\u200d",
    "\ufeff",
    "a b",
    "\u0085",
    "\u2028",
    "日本",
    "😀",
    "a//b",
    "..a",
    "a..",
    "…",
    "%",
    "'",
    '"',
    "a/b/",
]


@pytest.mark.parametrize("key", ODD)
def test_every_key_that_airflow_takes_has_its_route(key: str) -> None:
    for method, path, parameter in (
        ("GET", XCOM + key, "key"),
        ("POST", XCOM + key, "key"),
        ("DELETE", XCOM + key, "key"),
        ("GET", f"/variables/{key}", "variable_key"),
        ("PUT", f"/store/ti/{TI}/{key}", "key"),
        ("GET", f"/connections/{key}", "connection_id"),
    ):
        found = classify(method, path)
        assert found is not None, (method, key)
        assert found.params[parameter] == key
    reference = "file:///x/d/r/t/" + "0" * 32 + ".tradewind-xcom"
    assert isinstance(judge("POST", XCOM + key, reference, STRICT), Pass)


@pytest.mark.parametrize("connection", [*ODD, "team/warehouse", "a/b/c"])
def test_a_connection_of_any_id_is_left_to_the_sites_secrets_backends(connection: str) -> None:
    answer = judge("GET", f"/connections/{connection}", rules=STRICT)
    assert isinstance(answer, LocalAnswer)
    assert answer.status == 404
    assert isinstance(judge("GET", f"/connections/{connection}", rules=OPEN), Pass)


def test_of_two_routes_that_fit_the_one_airflow_takes_counts() -> None:
    assert _name("GET", "/variables/keys") == "variable.keys"
    assert _name("GET", XCOM + "a/b/item/3") == "xcom.item"
    assert _name("GET", XCOM + "a/b/slice") == "xcom.slice"
    assert _name("GET", XCOM + "slice") == "xcom.get"
    assert _name("DELETE", f"/store/ti/{TI}") == "task_store.clear"
    assert _name("GET", "/dag-runs/d/previous") == "dagrun.previous_before_2026_04"
    assert _name("HEAD", "/dag-runs/d/r") is None


def _name(method: str, path: str) -> str | None:
    found = classify(method, path)
    return found.route.name if found else None


def test_an_attempt_reaches_its_own_task_instance_and_no_other() -> None:
    own, other = uuid4(), uuid4()
    mine = classify("PATCH", f"/task-instances/{own}/state")
    theirs = classify("PATCH", f"/task-instances/{other}/state")
    bad = classify("PATCH", "/task-instances/not-an-id/state")
    assert mine and theirs and bad
    assert admit(mine, Caller.TASK, own) is None
    for found in (theirs, bad):
        refused = admit(found, Caller.TASK, own)
        assert refused is not None
        assert refused.code is Code.ATTEMPT_NOT_YOURS


@pytest.mark.parametrize(
    ("caller", "method", "path", "admitted"),
    [
        (Caller.TASK, "GET", f"/connection-tests/{TI}/connection", False),
        (Caller.CONNECTION_TEST, "GET", f"/connection-tests/{TI}/connection", True),
        (Caller.CONNECTION_TEST, "GET", "/variables/a", False),
        (Caller.CALLBACK, "GET", "/connections/a", True),
        (Caller.CALLBACK, "GET", XCOM + "k", True),
        (Caller.CALLBACK, "POST", XCOM + "k", False),
        (Caller.CALLBACK, "PATCH", f"/task-instances/{TI}/state", False),
        (Caller.DAG_PROCESSOR, "GET", "/variables/a", True),
        (Caller.DAG_PROCESSOR, "POST", XCOM + "k", False),
        (Caller.TRIGGERER, "POST", XCOM + "k", True),
        (Caller.TRIGGERER, "PATCH", f"/hitlDetails/{TI}", True),
        (Caller.TRIGGERER, "PATCH", f"/task-instances/{TI}/state", False),
        (Caller.WORKER, "GET", "/variables/a", False),
        (Caller.TASK, "GET", "/health", False),
    ],
)
def test_everybody_may_call_only_what_they_need(
    caller: Caller, method: str, path: str, admitted: bool
) -> None:
    found = classify(method, path)
    assert found is not None
    refused = admit(found, caller)
    assert (refused is None) is admitted
    if refused is not None:
        assert refused.code is Code.NOT_PERMITTED


def test_every_route_with_an_id_of_its_own_names_its_owner() -> None:
    for route in ROUTES:
        assert (route.owner is Owner.TASK_INSTANCE) == ("{task_instance_id}" in route.template)
        assert (route.owner is Owner.CONNECTION_TEST) == ("{connection_test_id}" in route.template)


def test_a_site_can_name_more_storage() -> None:
    assert not is_reference("minio://bucket/key")
    assert is_reference("minio://bucket/key", frozenset({"minio"}))
