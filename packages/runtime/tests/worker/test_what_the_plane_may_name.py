"""The plane names a callback or asks for a connection test; the site decides whether that runs here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from support.secrets_backend import local_files
from support.worker_host import FakeGateway, WorkerHost
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.boundary.declarations import undeclared
from tradewind_protocol.states import OutcomeKind

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]

HERE = Path(__file__).parent
CALLBACKS = "AIRFLOW__TRADEWIND__CALLBACKS"


@pytest.fixture(scope="module")
def shared_host(gateway_server: tuple[str, dict[str, FakeGateway]], warm_home: Path) -> Iterator[WorkerHost]:
    """A host whose site has callbacks of its own and names no others."""
    site = {"PYTHONPATH": str(HERE)}
    host = WorkerHost(FakeGateway(gateway_server[0]), warm_home, dags=HERE / "dags", environ=site)
    yield host
    host.close()


@pytest.fixture
def call(host: WorkerHost, own_host: Any) -> Any:
    """`call(path, kwargs)`: have a host run that callback; its attempt. More variables make a host of its own."""

    def called(path: str, kwargs: dict[str, Any], **more: str) -> Any:
        work = {
            "type": "ExecuteCallback",
            "callback": {
                "id": "0194a0d5-0000-7000-8000-000000000001",
                "fetch_method": "import_path",
                "data": {"path": path, "kwargs": kwargs},
            },
            "dag_rel_path": "worker_host.py",
            "bundle_info": {"name": "dags", "version": None},
            "log_path": f"executor_callbacks/{uuid4()}",
        }
        runs = own_host(environ={"PYTHONPATH": str(HERE), **more}) if more else host
        return runs.start(WorkKind.CALLBACK, work)

    return called


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("os.system", {"command": "touch {mark}"}),
        ("posix.system", {"command": "touch {mark}"}),
        ("subprocess.check_call", {"args": "touch {mark}", "shell": True}),
        ("site_callbacks.run", {"args": "touch {mark}", "shell": True}),
        ("site_callbacks.system", {"command": "touch {mark}"}),
        ("unusual_prefix_abc_worker_host.Path", {"mark": "{mark}"}),
        ("psutil.Popen", {"args": "touch {mark}", "shell": True}),
        ("airflow.utils.process_utils.execute_in_subprocess", {"cmd": ["touch", "{mark}"]}),
        ("tradewind_runtime.airflow.workloads.set_hostname", {"name": "{mark}"}),
    ],
)
def test_code_that_is_not_the_sites_is_refused(
    call: Any, tmp_path: Path, path: str, arguments: dict[str, Any]
) -> None:
    mark = tmp_path / "it-ran"
    filled = {
        key: value.format(mark=mark) if isinstance(value, str) else
        [part.format(mark=mark) for part in value] if isinstance(value, list) else value
        for key, value in arguments.items()
    }  # fmt: skip
    attempt = call(path, filled)
    outcome = attempt.outcome()
    assert (outcome.kind, outcome.exit_code) == (OutcomeKind.FAILED, 1)
    assert "which it may not have run here" in attempt.log()
    assert not mark.exists()


def test_what_the_gateway_found_to_be_nobodys_declaration_is_not_called(call: Any) -> None:
    attempt = call("site_callbacks.Tells", undeclared("a callback 'site_callbacks.Tells'"))
    assert (attempt.outcome().kind, attempt.outcome().exit_code) == (OutcomeKind.FAILED, 1)
    assert "neither a Dag nor a task of this site declared it" in attempt.log()
    assert "told" not in attempt.log()


def test_a_task_does_not_resume_with_what_it_did_not_declare(host: WorkerHost, gateway: FakeGateway) -> None:
    gateway.resumes = {"next_method": "resume", "next_kwargs": undeclared("the task to resume with 'resume'")}
    attempt = host.run("defers")
    attempt.outcome()
    assert gateway.states_of(attempt) == ["failed"]
    assert "neither a Dag nor a task of this site declared it" in attempt.log()
    assert "resumed with" not in attempt.log()


def test_a_sentry_integration_of_the_planes_choice_is_not_imported(host: WorkerHost) -> None:
    attempt = host.run("succeeds", sentry_integration="site_callbacks.is_not_there")
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    assert "is_not_there" not in attempt.log()


def test_the_sites_own_function_runs(call: Any) -> None:
    attempt = call("site_callbacks.alert", {"who": "you"})
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    assert "alerted with {'who': 'you'}" in attempt.log()


def test_the_sites_own_notifier_runs(call: Any) -> None:
    attempt = call("site_callbacks.Tells", {"text": "it is late"})
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    assert "told it is late" in attempt.log()


def test_what_the_site_names_runs_wherever_it_is_from(call: Any) -> None:
    attempt = call("json.dumps", {"obj": 1}, **{CALLBACKS: "acme.alerts.*, json.dumps"})
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED


def test_connections_are_tested_only_where_the_site_allows_it(own_host: Any, gateway: Any) -> None:
    gateway.connection = {"conn_id": "c", "conn_type": "generic", "host": "h"}
    work = {
        "type": "TestConnection",
        "connection_test_id": "0194a0d5-0000-7000-8000-000000000003",
        "connection_id": "c",
        "timeout": 10,
        "queue": "default",
    }
    attempt = own_host(environ={"AIRFLOW__CORE__TEST_CONNECTION": "Disabled"}).start(
        WorkKind.CONNECTION_TEST, work
    )
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED  # of saying so
    (told,) = gateway.of(attempt)
    assert (told.method, told.body["state"]) == ("PATCH", "failed")
    assert "this site tests no connections" in told.body["result_message"]


def test_a_deferred_task_resumes_with_the_method_it_named(host: WorkerHost, gateway: FakeGateway) -> None:
    gateway.resumes = {"next_method": "resume", "next_kwargs": {"event": 42}}
    attempt = host.run("defers")
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    attempt.says("resumed with 42")


@pytest.mark.parametrize(
    "method",
    ["render_template_fields", "render_template", "__setattr__", "dry_run"],
)
def test_a_method_of_airflows_own_is_not_what_a_task_resumes_with(
    host: WorkerHost, gateway: FakeGateway, method: str
) -> None:
    gateway.resumes = {"next_method": method, "next_kwargs": {"jinja_env": None}}
    attempt = host.run("defers")
    attempt.outcome()
    assert gateway.states_of(attempt) == ["failed"]
    assert f"with {method!r}, which it may not have called here" in attempt.log()


def test_a_callback_reads_what_a_secrets_backend_has(call: Any, tmp_path: Path) -> None:
    more = local_files(tmp_path)
    attempt = call("site_callbacks.reads", {}, **more, **{CALLBACKS: "site_callbacks.reads"})
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    assert "read file-host from the file" in attempt.log()
