"""Values of task and asset state at a site: stored, read back, deleted. Airflow is configured in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

PROBE = """
from airflow.sdk.execution_time.context import _get_worker_state_store_backend
from airflow.sdk.state import AssetScope, TaskScope
store = _get_worker_state_store_backend()
def task(map_index=-1, **names):
    return TaskScope(**{"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": map_index, **names})
def asset(name):
    return AssetScope(name=name)
def put(value, key="k", scope=None):
    scope = scope or task()
    if isinstance(scope, AssetScope):
        return store.serialize_asset_state_store_to_ref(value=value, key=key, scope=scope)
    return store.serialize_task_state_store_to_ref(value=value, key=key, scope=scope)
def get(stored):
    one, two = store.deserialize_task_state_store_from_ref(stored), store.deserialize_asset_state_store_from_ref(stored)
    assert one == two
    return one
def tried(call, *args):
    try:
        return call(*args)
    except Exception as problem:
        return [type(problem).__name__, str(problem)]
"""


@pytest.fixture
def site(probing: Callable[..., Any], tmp_path: Path) -> Any:
    return partial(probing, PROBE, state=tmp_path / "agent")


def files(tmp_path: Path) -> list[str]:
    return sorted(each.name for each in (tmp_path / "agent" / "state").rglob("*.tradewind-state"))


def test_every_value_leaves_as_a_reference_and_comes_back_as_it_was(site, tmp_path):
    values = [0, "", "text", "s3://bucket/x", [1, None], {"a": {"b": []}}]
    references = site(f"[put(value, str(n)) for n, value in enumerate({values!r})]")
    assert all(each.startswith(f"file://{tmp_path}/agent/state/tasks/d/r/t/unmapped/") for each in references)
    assert site(f"[get(each) for each in {references!r}]") == values
    assert site("get(put(1, scope=asset('an asset')))") == 1


def test_a_value_written_again_replaces_the_first(site, tmp_path):
    first, second = site("[put(1), put(2)]")
    assert first == second
    assert site(f"get({first!r})") == 2
    assert len(files(tmp_path)) == 1


def test_every_key_is_a_file_of_its_own(site, tmp_path):
    keys = ["a", "a/b", "../../a", "..", "", "a\\b", "\u00a0", "\ufeff", "日" * 300, "a?b", "%41"]
    references = site(f"[put(key, key) for key in {keys!r}]")
    assert site(f"[get(each) for each in {references!r}]") == keys
    assert len(set(files(tmp_path))) == len(keys)


def test_deleting_and_clearing_delete_just_that(site, tmp_path):
    site(
        "[put(1, 'a'), put(1, 'b'), put(1, 'a', task(0)), put(1, 'a', task(1)), put(1, 'a', asset('x')), put(1, 'a', asset('y'))]"
    )
    assert len(files(tmp_path)) == 6
    site("[store.delete(task(), 'a'), store.delete(task(), 'not there')]")
    assert len(files(tmp_path)) == 5
    site("[store.clear(task(0)), store.clear(task(7)), store.clear(asset('x'))]")
    assert len(files(tmp_path)) == 3
    site("store.clear(task(), all_map_indices=True)")
    assert len(files(tmp_path)) == 1


def test_a_reference_to_another_agents_storage_is_an_error_that_names_both(site, tmp_path):
    reference = site("put(1)", options={"state_directory": str(tmp_path / "another agent")})
    kind, words = site(f"tried(get, {reference!r})")
    assert kind == "ForeignReference"
    assert f"file://{tmp_path}/another agent/state" in words
    assert f"file://{tmp_path}/agent/state" in words
    kind, words = site("tried(get, 's3://bucket/d/r/t/-1/key')")  # as Airflow's own backend names one
    assert kind == "ForeignReference"


def test_a_value_that_is_gone_is_an_error_and_not_none(site):
    reference = site("put(1)")
    Path(reference.removeprefix("file://")).unlink()
    kind, words = site(f"tried(get, {reference!r})")
    assert kind == "ValueGone"
    assert reference in words


def test_small_values_leave_where_the_site_says_so(site):
    small = {"AIRFLOW__COMMON_IO__STATE_STORE_OBJECTSTORAGE_THRESHOLD": "10"}
    few, many = site("[put([1]), put('x' * 20)]", environ=small)
    assert few == "[1]"
    assert site(f"[get({few!r}), get({many!r})]", environ=small) == [[1], "x" * 20]
