"""What of an XCom leaves the site, and what comes back. Airflow is configured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROBE = """
import json, os, sys
from collections import namedtuple
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure(component="worker", agent_name="a", gateway="/g", secret="", **json.loads(sys.argv[1])))
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
print(json.dumps(eval(sys.argv[2])))
"""


@pytest.fixture
def site(tmp_path: Path) -> Any:
    def probe(expression: str, *, environ: dict[str, str] | None = None, **configure: Any) -> Any:
        configure.setdefault("options", {"state_directory": str(tmp_path / "the state")})
        answer = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROBE, json.dumps(configure), expression],
            env={"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(tmp_path / "airflow"), **(environ or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout.splitlines()[-1])

    probe.folder = f"file://{tmp_path}/the state/xcom/"  # type: ignore[attr-defined]
    return probe


def test_every_value_leaves_as_a_reference_and_comes_back_as_it_was(site):
    values = [None, 0, "", "text", "https://example.org/x", [1, None], {"a": {"b": []}}]
    references = site(f"[push(value) for value in {values!r}]")
    assert all(reference.startswith(site.folder) for reference in references)
    assert site(f"[pull(reference) for reference in {references!r}]") == values


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


def test_a_value_that_is_no_reference_of_this_site_is_itself(site):
    values = ["plain", "s3://elsewhere/key", "file:///etc/hostname", {"a": 1}, 5]
    assert site(f"[pull(value) for value in {values!r}]") == values


def test_a_reference_that_climbs_out_of_the_folder_is_refused(site):
    kind, words = site(f"tried(pull, {site.folder + '../../../etc/hostname'!r})")
    assert kind == "ForeignReference"
    assert "leads out of this site's XCom folder" in words


def test_a_name_that_climbs_out_of_the_folder_is_refused(site):
    assert site("tried(push, 1, dag_id='..')")[0] == "ForeignReference"
    assert site("tried(push, 1, run_id='a/../../b')")[0] == "ForeignReference"


def test_a_value_that_is_gone_is_an_error_that_says_so_and_not_the_name_of_a_file(site):
    reference = site("push({'a': 1})")
    Path(reference.removeprefix("file://")).unlink()
    kind, words = site(f"tried(pull, {reference!r})")
    assert kind == "ValueGone"
    assert reference in words


def test_purging_deletes_the_value_and_nothing_else(site, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("kept")
    reference = site("push(1)")
    site(
        f"[XCom.purge(Result({reference!r})), XCom.purge(Result({f'file://{outside}'!r})), XCom.purge(Result(None))]"
    )
    assert not Path(reference.removeprefix("file://")).exists()
    assert outside.exists()


def test_an_open_site_keeps_airflows_own_backend(site):
    assert site("XCom.__name__", policy="open") == "BaseXCom"


def test_a_backend_the_site_chose_itself_is_kept(site):
    own = {"AIRFLOW__CORE__XCOM_BACKEND": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend"}
    assert site("XCom.__name__", environ=own) == "XComObjectStorageBackend"


def test_a_path_the_site_chose_itself_is_kept(site, tmp_path):
    own = {"AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"file://{tmp_path}/chosen"}
    assert site("push(1)", environ=own).startswith(f"file://{tmp_path}/chosen/")


def test_preparing_a_host_makes_no_database(site, tmp_path):
    kind, words = site("tried(lambda: __import__('airflow.settings').settings.Session())")
    assert kind == "RuntimeError"
    assert "no Airflow metadata database" in words
    assert not list(tmp_path.rglob("*.db"))


STORE = "(lambda found: found and type(found).__name__)(__import__('airflow.sdk.execution_time.context', fromlist=['x'])._get_worker_state_store_backend())"


def test_the_values_of_task_and_asset_state_stay_at_the_site_too(site, tmp_path):
    path = "__import__('airflow.configuration').configuration.conf.get('common.io', 'state_store_objectstorage_path')"
    assert site(f"[{STORE}, {path}]") == [
        "StateStoreObjectStorageBackend",
        f"file://{tmp_path}/the state/state",
    ]


def test_what_one_kind_of_data_may_do_says_nothing_of_another(site):
    both = f"[XCom.__name__, {STORE}]"
    assert site(both, policy="open", xcom="strict", store="open") == ["SiteXComBackend", None]
    assert site(both, policy="open", xcom="open", store="strict") == [
        "BaseXCom",
        "StateStoreObjectStorageBackend",
    ]
