"""What of an XCom leaves the site, and what comes back. Airflow is configured in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

PROBE = """
from collections import namedtuple
from airflow.sdk.execution_time.xcom import XCom
Result = namedtuple("Result", "value")
NAME = dict(dag_id="d", run_id="manual__2025-01-01T00:00:00+00:00", task_id="t", map_index=-1)
def push(value, key="return_value", **name):
    return XCom.serialize_value(value, key=key, **{**NAME, **name})
def pull(raw):
    return XCom.deserialize_value(Result(raw))
def tried(call, *args, **kwargs):
    try:
        return call(*args, **kwargs)
    except Exception as problem:
        return [type(problem).__name__, str(problem)]
"""


def site_in(probing: Callable[..., Any], folder: Path) -> Any:
    probe = partial(probing, PROBE, state=folder / "the state")
    probe.folder = f"file://{folder}/the state/xcom/"  # type: ignore[attr-defined]
    return probe


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def site(probing: Callable[..., Any], shared: Path) -> Any:
    """One site for the tests of what becomes of a value, for each starts with values of its own."""
    return site_in(probing, shared)


@pytest.fixture
def own_site(probing: Callable[..., Any], tmp_path: Path) -> Any:
    """A site whose folder, or the whole of what it stores, a test is about."""
    return site_in(probing, tmp_path)


def test_every_value_leaves_as_a_reference_and_comes_back_as_it_was(site):
    values = [None, 0, "", "text", "https://example.org/x", [1, None], {"a": {"b": []}}]
    references = site(f"[push(value) for value in {values!r}]")
    assert all(reference.startswith(site.folder) for reference in references)
    assert site(f"[pull(reference) for reference in {references!r}]") == values


def test_a_value_that_is_written_or_read_is_no_dataset_of_the_task(site):
    """OpenLineage once told of each XCom that a mapped task had read as an input of the task."""
    value, inputs, outputs = site(
        "(lambda lineage, collector: [setattr(lineage, 'get_hook_lineage_collector', lambda: collector),"
        " pull(push([1, 2])), list(collector._inputs), list(collector._outputs)][1:])"
        "(*(lambda module: (module, module.HookLineageCollector()))(__import__('airflow.sdk.lineage').sdk.lineage))",
        environ={"AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION": "gzip"},
    )
    assert (value, inputs, outputs) == ([1, 2], [], [])


def test_two_pushes_of_one_key_never_share_a_file(site):
    first, second = site("[push(1), push(2)]")
    assert first != second


def test_what_the_scheduler_reads_leaves_as_it_is_and_only_in_its_exact_form(site):
    kept, run, *stored = site(
        "[push({'skipped': ['a', 'group.b']}, 'skipmixin_key'), push('manual__1', 'trigger_run_id'),"
        " push({'skipped': ['not a task id']}, 'skipmixin_key'), push({'followed': [], 'x': 1}, 'skipmixin_key'),"
        " push('two words', 'trigger_run_id'), push({'skipped': ['a']}, 'another_key')]"
    )
    assert kept == {"skipped": ["a", "group.b"]}
    assert run == "manual__1"
    assert all(reference.startswith(site.folder) for reference in stored)


LIKE_REFERENCES = [
    "plain",
    "s3://elsewhere/key",
    "file:///etc/hostname",
    "s3://bucket/dag/run/task/2f6b1f0e-3f65-4f3e-9d5f-0d0c5d2c6f11",
    {"a": 1},
    5,
]


def test_a_string_of_an_authors_that_is_a_url_is_itself_stored_or_not(site):
    values = [*LIKE_REFERENCES, site.folder, site.folder + "a/b/c/d"]
    from_elsewhere, ours = site(
        f"[[pull(value) for value in {values!r}], [pull(push(value)) for value in {values!r}]]"
    )
    assert from_elsewhere == values
    assert ours == values
    some_leave = {"AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "1000"}
    assert site(f"[pull(push(value)) for value in {values!r}]", environ=some_leave) == values


@pytest.mark.parametrize("policy", ["strict", "open"])
def test_a_string_in_the_form_of_a_reference_comes_back_as_the_string_it_is(site, policy):
    of_this_site = site.folder + "d/r/t/" + "0" * 32 + ".tradewind-xcom"
    elsewhere = "s3://elsewhere/xcom/d/r/t/" + "0" * 32 + ".tradewind-xcom"
    stored = (
        f"[(lambda made: [made, pull(made), text])(push(text)) for text in ({of_this_site!r}, {elsewhere!r})]"
    )
    for reference, pulled, text in site(stored, policy=policy):
        assert reference != text
        assert pulled == text


@pytest.mark.parametrize("policy", ["strict", "open"])
def test_a_reference_to_another_agents_storage_is_an_error_that_names_both(site, tmp_path, policy):
    other = {"state_directory": str(tmp_path / "another agent")}
    reference = site("push(['region-1', 'region-2'])", options=other)
    kind, words = site(f"tried(pull, {reference!r})", policy=policy)
    assert kind == "ForeignReference"
    assert f"file://{tmp_path}/another agent/xcom" in words
    assert site.folder.rstrip("/") in words
    assert "set `storage` in the agents' settings to one shared folder or bucket" in words


def test_the_same_path_on_another_disk_is_another_storage(own_site, tmp_path):
    reference = own_site("push(1)")
    (tmp_path / "the state").rename(tmp_path / "the first disk")
    kind, words = own_site(f"tried(pull, {reference!r})")
    assert kind == "ForeignReference"
    assert "on another disk" in words


def test_one_folder_under_two_paths_is_one_storage(own_site, tmp_path):
    reference = own_site("push({'a': 1})")
    (tmp_path / "mounted here").symlink_to(tmp_path / "the state")
    assert own_site(f"pull({reference!r})", options={"state_directory": str(tmp_path / "mounted here")}) == {
        "a": 1
    }


def test_agents_that_share_a_storage_read_each_others_values(site, tmp_path):
    shared = f"file://{tmp_path}/shared"
    one = {"state_directory": str(tmp_path / "one"), "storage": shared}
    reference = site("push({'a': 1})", options=one)
    assert reference.startswith(f"{shared}/xcom/")
    two = {"state_directory": str(tmp_path / "two"), "storage": f"{tmp_path}/shared"}
    assert site(f"pull({reference!r})", options=two) == {"a": 1}


def test_what_airflows_own_backend_stored_at_the_same_place_is_still_read(site):
    own = {
        "AIRFLOW__CORE__XCOM_BACKEND": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": site.folder.rstrip("/"),
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "0",
    }
    reference = site("push({'a': [1]})", environ=own)
    assert site(f"pull({reference!r})") == {"a": [1]}
    Path(reference.removeprefix("file://")).unlink()
    assert site(f"tried(pull, {reference!r})")[0] == "ValueGone"


def test_a_reference_that_climbs_out_of_the_folder_opens_nothing(site):
    climbing = [
        site.folder + "../../../etc/hostname",
        site.folder + "d/../../r/t/" + "0" * 32 + ".tradewind-xcom",
        site.folder + "../../t/2f6b1f0e-3f65-4f3e-9d5f-0d0c5d2c6f11",
    ]
    assert site(f"[pull(value) for value in {climbing!r}]") == climbing


def test_names_of_any_characters_stay_inside_the_folder(site):
    names: list[dict[str, str]] = [
        {"dag_id": "..", "task_id": "a/../../b"},
        {"run_id": "a/../../b"},
        {"dag_id": "日" * 250},
        {"task_id": "t\\x\u00a0"},
    ]
    pushed = site(f"[(lambda made: [made, pull(made)])(push(1, **names)) for names in {names!r}]")
    folder = Path(site.folder.removeprefix("file://"))
    for reference, value in pushed:
        path = Path(reference.removeprefix("file://"))
        assert path.resolve().is_relative_to(folder.resolve())
        assert len(path.relative_to(folder).parts) == 4
        assert value == 1


def test_a_value_that_is_gone_is_an_error_that_says_so_and_not_the_name_of_a_file(site):
    reference = site("push({'a': 1})")
    Path(reference.removeprefix("file://")).unlink()
    kind, words = site(f"tried(pull, {reference!r})")
    assert kind == "ValueGone"
    assert reference in words
    Path(reference.removeprefix("file://")).write_bytes(b"[1, ")
    kind, words = site(f"tried(pull, {reference!r})")
    assert kind == "ValueGone"
    assert "is damaged" in words


def test_a_stored_value_leaves_no_draft_behind(own_site):
    path = Path(own_site("push({'a': 1})").removeprefix("file://"))
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("compression", ["gzip", "bz2"])
def test_values_are_compressed_where_the_site_says_so(site, compression):
    own = {"AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION": compression}
    reference = site("push('x' * 10_000)", environ=own)
    assert Path(reference.removeprefix("file://")).stat().st_size < 500
    assert site(f"pull({reference!r})") == "x" * 10_000  # whatever the reader's own setting is


def test_purging_deletes_the_value_and_nothing_else(site, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("kept")
    reference = site("push(1)")
    site(
        f"[XCom.purge(Result({reference!r})), XCom.purge(Result({f'file://{outside}'!r})), XCom.purge(Result(None))]"
    )
    assert not Path(reference.removeprefix("file://")).exists()
    assert outside.exists()


def test_values_of_an_open_site_go_to_the_plane_as_they_are(site):
    assert site("[push(1), push({'a': ['b']}), push('s3://bucket/x')]", policy="open") == [
        1,
        {"a": ["b"]},
        "s3://bucket/x",
    ]
    assert site(f"pull({site('push(5)')!r})", policy="open") == 5  # what was stored while the site was strict


def test_a_backend_the_site_chose_itself_is_kept(site):
    own = {"AIRFLOW__CORE__XCOM_BACKEND": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend"}
    assert site("XCom.__name__", environ=own) == "XComObjectStorageBackend"


def test_a_path_the_site_chose_itself_is_kept(site, tmp_path):
    own = {"AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"file://{tmp_path}/chosen"}
    assert site("push(1)", environ=own).startswith(f"file://{tmp_path}/chosen/")


def test_what_the_sites_airflow_cfg_says_is_kept(site, tmp_path):
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "airflow.cfg").write_text(
        f"[common.io]\nxcom_objectstorage_path = {tmp_path}/chosen\nxcom_objectstorage_threshold = 5\n"
    )
    assert site("push(1)", environ={"AIRFLOW_HOME": str(tmp_path / "airflow")}).startswith(
        f"file://{tmp_path}/chosen/"
    )  # a small value that left would be refused


def test_the_doctor_says_where_values_go(site):
    said = "__import__('tradewind_runtime.airflow.storage_inspection', fromlist=['x']).xcom()"
    assert site(said) == f"wrote, read and deleted an object in {site.folder.rstrip('/')}"
    assert site(said, policy="open") == "values go to the plane: the data policy for xcom is open"


def test_preparing_a_host_makes_no_database(site, tmp_path):
    home = {"AIRFLOW_HOME": str(tmp_path)}
    kind, words = site("tried(lambda: __import__('airflow.settings').settings.Session())", environ=home)
    assert kind == "RuntimeError"
    assert "no Airflow metadata database" in words
    assert list(tmp_path.iterdir()) and not list(tmp_path.rglob("*.db"))


STORE = "(lambda found: found and type(found).__name__)(__import__('airflow.sdk.execution_time.context', fromlist=['x'])._get_worker_state_store_backend())"


def test_the_values_of_task_and_asset_state_stay_at_the_site_too(site):
    path = "__import__('airflow.configuration').configuration.conf.get('common.io', 'state_store_objectstorage_path')"
    assert site(f"[{STORE}, {path}]") == [
        "SiteStateStoreBackend",
        site.folder.replace("/xcom/", "/state"),
    ]


def test_what_one_kind_of_data_may_do_says_nothing_of_another(site):
    both = f"[XCom.__name__, {STORE}]"
    assert site(both, policy="open", xcom="strict", store="open") == ["SiteXComBackend", None]
    assert site(both, policy="open", xcom="open", store="strict") == [
        "SiteXComBackend",
        "SiteStateStoreBackend",
    ]
