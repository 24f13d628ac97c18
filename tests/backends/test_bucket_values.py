"""Values in a bucket without a plane: large ones, and an identity with too few rights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import prepared, rights
from backends.prepared import run
from backends.rights import identity, the_pages_policy
from backends.stores_of import BUCKET, S3, STORES, Store, unavailable
from support.cloud.aws import Moto
from support.cloud.server import Servers
from support.environments import of_cloud


@pytest.mark.parametrize("kind", STORES, ids=lambda kind: kind.name)
def test_a_large_value_is_not_held_twice(kind: type[Store], servers: Servers, tmp_path: Path) -> None:
    if problem := unavailable(kind):
        pytest.skip(problem)
    with kind(servers) as store:
        writing, reading = prepared.large_value(
            "text",
            200_000_000,
            interpreter=store.interpreter,
            home=tmp_path,
            storage=store.storage,
            variables=store.variables(),
        )
    assert writing.memory < 0.5, "the parts of the upload, and no text"
    assert reading.memory < 1.4, "the value, and parts of its text"


KINDS = """
import numpy, pandas, pyarrow
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.configuration import conf
def through(write, read, value):
    try:
        return repr(read(write(value)))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
VALUES = {
    "frame": pandas.DataFrame({"a": [1, 2], "b": ["x", None]}),
    "array": numpy.arange(6, dtype="float32"),
    "number": numpy.int64(7),
    "tuples": (1, ("two", [3.0, {"four": (5,)}]), None),
    "text": "ü😀" * 10_000,
    "nothing": None,
    "bytes": b"bytes",
    "arrow": pyarrow.table({"a": [1]}),
}
found = {}
for name, value in VALUES.items():
    stock = through(BaseXCom.serialize_value, lambda one: BaseXCom.deserialize_value(Stored(one)), value)
    found[name] = [stock, through(push, pull, value)]
told([found, push("of the last kind")])
"""

REFUSED = {"array", "arrow", "bytes"}
"""What Airflow's serializers take from no task, with any backend."""


@pytest.mark.parametrize(("compression", "suffix"), [("", ""), ("gzip", ".gz")])
@pytest.mark.parametrize("kind", STORES, ids=lambda kind: kind.name)
def test_every_kind_of_value_comes_back_as_without_a_backend(
    kind: type[Store], compression: str, suffix: str, servers: Servers, tmp_path: Path
) -> None:
    if problem := unavailable(kind):
        pytest.skip(problem)
    with kind(servers) as store:
        variables = {**store.variables(), "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION": compression}
        found, reference = run(store.interpreter, tmp_path, store.storage, variables, KINDS)
    assert {name: ours for name, (_, ours) in found.items()} == {
        name: stock for name, (stock, _) in found.items()
    }
    assert {
        name for name, (stock, _) in found.items() if stock.startswith("TypeError: Cannot serialize")
    } == REFUSED
    assert reference.endswith(suffix), reference


@pytest.fixture
def strict_moto(tmp_path: Path) -> Iterator[Moto]:
    with rights.checked(tmp_path / "moto") as moto:
        yield moto


DOCTOR = """
from tradewind_runtime.airflow import storage_inspection
told(tried(storage_inspection.xcom))
"""

RIGHTS = {"Get": "read", "Put": "write", "Delete": "delete"}

USED = """
reference = push({"a": 1})
value = pull(reference)
XCom.purge(Stored(reference))
told([value, tried(pull, reference)])
"""


def test_the_pages_policy_is_enough_and_a_missing_value_is_gone(strict_moto: Moto, tmp_path: Path) -> None:
    granted = identity(strict_moto, the_pages_policy())
    value, (kind, words) = run(of_cloud("amazon"), tmp_path, "s3://my-site/values", granted, USED)
    assert value == {"a": 1}
    assert kind == "ValueGone", words
    said, words = run(of_cloud("amazon"), tmp_path, "s3://my-site/values", granted, DOCTOR)
    assert said.startswith("wrote, read and deleted an object in s3://my-site/values/xcom, as "), words
    assert "may not list" not in said


def test_values_need_no_right_to_list(strict_moto: Moto, tmp_path: Path) -> None:
    policy = the_pages_policy()
    policy["Statement"] = [each for each in policy["Statement"] if "ListBucket" not in str(each)]
    granted = identity(strict_moto, policy)
    value, _ = run(of_cloud("amazon"), tmp_path, "s3://my-site/values", granted, USED)
    assert value == {"a": 1}
    said, words = run(of_cloud("amazon"), tmp_path, "s3://my-site/values", granted, DOCTOR)
    assert "s3:ListBucket" in said, words


@pytest.mark.parametrize("right", ["Get", "Put", "Delete"])
def test_the_doctor_names_the_right_that_is_missing(strict_moto: Moto, tmp_path: Path, right: str) -> None:
    policy = the_pages_policy()
    for each in policy["Statement"]:
        if isinstance(each["Action"], list):
            each["Action"] = [one for one in each["Action"] if one != f"s3:{right}Object"]
    granted = identity(strict_moto, policy)
    kind, words = run(of_cloud("amazon"), tmp_path, "s3://my-site/values", granted, DOCTOR)
    assert kind == "StoreFailed"
    assert f"the right to {RIGHTS[right]} objects there" in words


def test_a_task_whose_old_values_cannot_be_deleted_runs_all_the_same(
    strict_moto: Moto, tmp_path: Path
) -> None:
    policy = the_pages_policy()
    for each in policy["Statement"]:
        if isinstance(each["Action"], list):
            each["Action"] = [one for one in each["Action"] if one != "s3:DeleteObject"]
    granted = identity(strict_moto, policy)
    kept = "reference = push(1)\nXCom.purge(Stored(reference))\ntold(pull(reference))\n"
    assert run(of_cloud("amazon"), tmp_path, "s3://my-site/values", granted, kept) == 1


def test_state_of_a_store_that_is_away_is_an_error_and_not_empty(servers: Servers, tmp_path: Path) -> None:
    code = """
from airflow.sdk.state import TaskScope
from tradewind_runtime.state import SiteStateStoreBackend
scope = TaskScope(dag_id="d", run_id="r", task_id="t", map_index=-1)
told([tried(SiteStateStoreBackend().get, scope, "key"), tried(push, 1)])
"""
    with S3(servers) as store, store.relay.away():
        read, written = run(store.interpreter, tmp_path, store.storage, store.variables(), code)
    assert [read[0], written[0]] == ["StorageUnavailable", "StorageUnavailable"]
    assert f"s3://site_store@{BUCKET}/values/state/" in read[1]
    assert "cannot be written" in written[1]
