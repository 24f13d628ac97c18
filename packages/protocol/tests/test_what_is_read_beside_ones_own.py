"""What a task reads that is not its own."""

from __future__ import annotations

import pytest

from tradewind_protocol.boundary import OwnRun, ReadKind, classify, outside

OWN = OwnRun("etl", "run 1")
TI = "0194a0d5-0000-7000-8000-000000000001"


def reads(method: str, target: str, own: OwnRun | None = OWN) -> list[tuple[ReadKind, str]]:
    path, _, query = target.partition("?")
    found = classify(method, path)
    assert found is not None, target
    return [(one.kind, one.name) for one in outside(found, query.encode(), own)]


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/xcoms/etl/run 1/t/k"),
        ("HEAD", "/xcoms/etl/run 1/t/k"),
        ("GET", "/xcoms/etl/run 1/t/k/slice"),
        ("GET", "/xcoms/etl/run 1/t/k?include_prior_dates=false"),
        ("POST", "/xcoms/etl/run 1/t/k"),
        ("GET", "/task-instances/count?dag_id=etl"),
        ("GET", "/dag-runs/etl/run 2/state"),
        ("PUT", f"/task-instances/{TI}/heartbeat"),
        ("GET", "/assets/by-name?name=x"),
    ],
)
def test_what_is_its_own_is_not_named(method: str, target: str):
    assert reads(method, target) == []


@pytest.mark.parametrize(
    ("method", "target", "kind", "name"),
    [
        ("GET", "/xcoms/etl/run 2/t/k", ReadKind.XCOM, "etl"),
        ("GET", "/xcoms/etl/run 1/t/k?include_prior_dates=true", ReadKind.XCOM, "etl"),
        ("GET", "/xcoms/etl/run 1/t/k?include_prior_dates=false&include_prior_dates=1", ReadKind.XCOM, "etl"),
        ("GET", "/xcoms/pay/run 1/t/k/item/0", ReadKind.XCOM, "pay"),
        ("DELETE", "/xcoms/pay/run 1/t/k", ReadKind.XCOM, "pay"),
        ("GET", "/task-instances/count?dag_id=pay", ReadKind.STATE, "pay"),
        ("GET", "/task-instances/states?dag_id=etl&dag_id=pay", ReadKind.STATE, "pay"),
        ("GET", "/task-instances/previous/pay/t", ReadKind.STATE, "pay"),
        ("GET", "/dag-runs/count?dag_id=pay", ReadKind.STATE, "pay"),
        ("GET", "/dag-runs/pay/run 1", ReadKind.STATE, "pay"),
        ("GET", "/dags/pay", ReadKind.STATE, "pay"),
        ("GET", "/connections/db", ReadKind.CONNECTION, "db"),
        ("GET", "/variables/a/b", ReadKind.VARIABLE, "a/b"),
        ("GET", "/variables/keys", ReadKind.VARIABLE, "*"),
        ("PUT", "/variables/x", ReadKind.VARIABLE, "x"),
    ],
)
def test_what_is_anothers_is(method: str, target: str, kind: ReadKind, name: str):
    assert reads(method, target) == [(kind, name)]


def test_without_a_run_of_its_own_nothing_is():
    assert reads("GET", "/xcoms/etl/run 1/t/k", None) == [(ReadKind.XCOM, "etl")]
