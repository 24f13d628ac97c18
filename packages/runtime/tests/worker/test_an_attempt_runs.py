"""What a task sees and does in a worker process, and what of it the agent and the plane get to know."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from support.worker_host import PYTHON
from tradewind_protocol import hostnames
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.states import OutcomeKind

pytestmark = pytest.mark.process


@pytest.fixture(scope="module", params=["all", "none"])
def accelerators(request):
    return request.param


def test_a_task_runs_and_its_success_goes_through_the_gateway(host, gateway):
    attempt = host.run("succeeds")
    outcome = attempt.outcome()
    assert (outcome.kind, outcome.exit_code, outcome.epoch) == (OutcomeKind.SUCCEEDED, 0, 3), outcome
    assert gateway.states_of(attempt) == ["success"]
    assert "first line" in attempt.log()
    assert outcome.started_at <= outcome.ended_at


def test_every_request_of_an_attempt_carries_its_own_secret(host, gateway):
    attempts = [host.run("succeeds"), host.run("succeeds")]
    assert [attempt.outcome().kind for attempt in attempts] == [OutcomeKind.SUCCEEDED] * 2
    for attempt in attempts:
        assert f"task-instances/{attempt.ti_id}/run" in {asked.path for asked in gateway.of(attempt)}
    assert {asked.secret for asked in gateway.asked} == {attempt.secret for attempt in attempts}


def test_no_two_attempts_have_the_same_host_name(host, gateway):
    attempts = [host.run("succeeds"), host.run("succeeds")]
    names = set()
    for attempt in attempts:
        attempt.outcome()
        start = next(asked for asked in gateway.of(attempt) if asked.path.endswith("/run"))
        names.add(start.body["hostname"])
    assert names == {hostnames.of_attempt("site-1", one.attempt_id, 3) for one in attempts}
    assert len(names) == 2


def test_a_task_that_fails_is_reported_to_the_plane_and_is_no_failure_of_the_host(host, gateway):
    attempt = host.run("fails")
    outcome = attempt.outcome()
    assert gateway.states_of(attempt) == ["failed"]
    assert (outcome.kind, outcome.exit_code) == (OutcomeKind.SUCCEEDED, 0)
    assert "on purpose" in attempt.log()


def test_a_task_that_fails_with_retries_left_goes_up_for_retry(host, gateway):
    gateway.retries = True
    attempt = host.run("fails")
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    assert gateway.states_of(attempt) == ["up_for_retry"]


def test_a_task_that_defers_hands_its_trigger_to_the_plane(host, gateway):
    attempt = host.run("defers")
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    state = next(asked.body for asked in gateway.of(attempt) if asked.path.endswith("/state"))
    assert state["state"] == "deferred"
    assert state["next_method"] == "resume"


def test_a_sensor_that_waits_is_rescheduled(host, gateway):
    attempt = host.run("pokes")
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    assert gateway.states_of(attempt) == ["up_for_reschedule"]


def test_an_xcom_leaves_as_a_reference_and_is_read_back_whole(host, gateway):
    host.run("succeeds").outcome()
    (reference,) = gateway.xcoms.values()
    assert isinstance(reference, str)
    assert reference.startswith(f"file://{host.home}/state/xcom/worker_host/")
    assert json.loads(open(reference.removeprefix("file://")).read()) == {"answer": [42, None]}
    reader = host.run("reads")
    assert reader.outcome().kind is OutcomeKind.SUCCEEDED
    assert "read {'answer': [42, None]}" in reader.log()


def test_what_a_branch_decided_leaves_as_it_is_for_the_scheduler_to_read(host, gateway):
    attempt = host.run("skips")
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    kept = {name.rsplit("/", 1)[1]: value for name, value in gateway.xcoms.items()}
    assert kept["skipmixin_key"] == {"skipped": ["after"]}


def test_connections_and_variables_come_from_the_site_before_the_plane_is_asked(host, gateway):
    attempt = host.run("reads_the_site")
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    log = attempt.log()
    assert "variable from the site" in log
    assert "host of the connection site-host" in log
    assert "elsewhere nowhere" in log
    asked = {asked.path for asked in gateway.of(attempt)}
    assert "variables/elsewhere" in asked
    assert not {path for path in asked if "site_only" in path}


def test_the_links_of_a_task_lead_to_the_plane(own_host):
    attempt = own_host(base_url="https://airflow.example.com/team").run("links")
    attempt.outcome()
    assert "see https://airflow.example.com/team/dags/worker_host/runs/" in attempt.log()


def test_the_links_of_a_task_lead_where_the_sites_own_configuration_says(own_host, own_home):
    (own_home / "airflow").mkdir()
    (own_home / "airflow" / "airflow.cfg").write_text("[api]\nbase_url = https://intranet.example.com\n")
    attempt = own_host(base_url="https://airflow.example.com", prepared=False).run("links")
    attempt.outcome()
    assert "see https://intranet.example.com/dags/worker_host/runs/" in attempt.log()


def test_the_folder_an_agent_was_started_in_is_not_searched_for_modules(own_host, tmp_path, monkeypatch):
    (tmp_path / "pandas.py").write_text("")
    (tmp_path / "pydantic.py").write_text("raise SystemExit('found in the folder')")
    monkeypatch.chdir(tmp_path)
    attempt = own_host(command=PYTHON).run("succeeds")
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED


def test_a_task_that_opens_the_metadata_database_is_told_it_may_not(host, gateway):
    attempt = host.run("opens_the_database")
    attempt.outcome()
    assert gateway.states_of(attempt) == ["failed"]
    assert "database" in attempt.log().lower()
    assert not list((host.home / "airflow").rglob("*.db"))


def test_a_task_holds_no_descriptor_of_the_host_or_of_another_attempt(host, gateway):
    other = host.run("sleeps")
    other.says("sleeping")
    attempt = host.run("shows_descriptors")
    attempt.outcome()
    host.stop(other, grace=0.1)
    other.outcome()
    open_files = [
        json.loads(line)["event"]
        for line in attempt.log().splitlines()
        if "descriptor" in json.loads(line).get("event", "")
    ]
    names = [line.split()[2] for line in open_files]
    # Its own: three standard streams, requests and logs of the supervisor, its client's connection, its log file,
    # selectors. A control socket, supervisor's control_socket or other attempt's log would be one more.
    assert not [name for name in names if "sleeps/" in name]
    assert len([name for name in names if name.startswith("pipe:")]) == 0, names
    assert len({name for name in names if name.startswith("socket:")}) <= 6, names


def test_nothing_secret_is_in_an_environment_on_a_command_line_or_in_a_log(own_host, gateway):
    host = own_host(command=PYTHON)
    attempt = host.run("sleeps")
    task = attempt.says("sleeping")
    for process in (task, attempt.supervisor, host.process.pid):
        for what in ("environ", "cmdline"):
            shown = Path(f"/proc/{process}/{what}").read_text()
            assert shown
            assert "tw_local_" not in shown
    host.stop(attempt, grace=0.1)
    attempt.outcome()
    assert "tw_local_" not in attempt.log() + host.output.read_text()


def test_a_task_finds_no_trace_of_the_control_socket(host, gateway):
    attempt = host.run("shows_descriptors")
    attempt.outcome()
    assert "TRADEWIND" not in attempt.log()


@pytest.mark.parametrize("path", ["../escape.log", "/tmp/escape.log"])
def test_a_log_path_that_leaves_the_log_folder_is_refused(host, gateway, path):
    outcome = host.run("succeeds", log_path=path).outcome()
    assert outcome.kind is OutcomeKind.FAILED
    assert "is not a path inside its folder" in outcome.reason
    assert gateway.asked == []


def test_a_dag_file_outside_its_bundle_is_refused(host, gateway):
    outcome = host.run("succeeds", dag_rel_path="../../etc/dag.py").outcome()
    assert outcome.kind is OutcomeKind.FAILED
    assert "Dag file '../../etc/dag.py'" in outcome.reason
    assert gateway.asked == []


@pytest.mark.parametrize("version", ["../../elsewhere", "/etc", "--upload-pack=touch"])
def test_a_version_that_is_none_is_refused(host, gateway, version):
    outcome = host.run("succeeds", bundle_info={"name": "dags", "version": version}).outcome()
    assert outcome.kind is OutcomeKind.FAILED
    assert "the workload's version" in outcome.reason
    assert gateway.asked == []


def test_a_run_id_that_leads_out_of_the_folders_named_after_it_is_refused(host, gateway):
    ti = {"dag_id": "worker_host", "task_id": "succeeds", "run_id": "../../../x"}
    outcome = host.run("succeeds", ti=ti).outcome()
    assert outcome.kind is OutcomeKind.FAILED
    assert "the workload's run_id" in outcome.reason
    assert gateway.asked == []


def test_a_start_the_plane_refuses_ends_the_attempt_with_its_answer(host, gateway):
    gateway.refuse["/run"] = 409
    attempt = host.run("succeeds")
    outcome = attempt.outcome()
    assert outcome.kind is OutcomeKind.FAILED
    assert "ServerResponseError" in outcome.reason
    assert "first line" not in attempt.log()
    assert attempt.secret not in outcome.reason + host.output.read_text()


def test_a_callback_runs_with_the_attempts_own_client(host, gateway):
    work = {
        "type": "ExecuteCallback",
        "callback": {
            "id": "0194a0d5-0000-7000-8000-000000000001",
            "fetch_method": "import_path",
            "data": {"path": "unusual_prefix_abc_worker_host.callback", "kwargs": {"who": "you"}},
        },
        "dag_rel_path": "worker_host.py",
        "bundle_info": {"name": "dags", "version": None},
        "log_path": "executor_callbacks/one",
    }
    attempt = host.start(WorkKind.CALLBACK, work)
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    assert "callback called with {'who': 'you'}" in attempt.log()


def test_a_callback_that_fails_ends_with_its_exit_code(host, gateway):
    work = {
        "type": "ExecuteCallback",
        "callback": {
            "id": "0194a0d5-0000-7000-8000-000000000002",
            "fetch_method": "import_path",
            "data": {"path": "no_such_module.callback", "kwargs": {}},
        },
        "dag_rel_path": "worker_host.py",
        "bundle_info": {"name": "dags", "version": None},
        "log_path": "executor_callbacks/two",
    }
    outcome = host.start(WorkKind.CALLBACK, work).outcome()
    assert (outcome.kind, outcome.exit_code) == (OutcomeKind.FAILED, 1)


def test_a_connection_test_reports_through_the_gateway(host, gateway):
    gateway.connection = {"conn_id": "c", "conn_type": "no_such_type", "host": "h"}
    work = {
        "type": "TestConnection",
        "connection_test_id": "0194a0d5-0000-7000-8000-000000000003",
        "connection_id": "c",
        "timeout": 10,
        "queue": "default",
    }
    attempt = host.start(WorkKind.CONNECTION_TEST, work)
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    told = [asked for asked in gateway.of(attempt) if asked.method == "PATCH"]
    assert [asked.body["state"] for asked in told] == ["failed"]


def state(pid: int) -> tuple[str, int]:
    """How the kernel has a process: its state's letter and its parent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[1])


def test_a_task_is_forked_by_its_process_manager_and_not_by_the_supervisor_that_watches_it(host, gateway):
    attempt = host.run("sleeps")
    task = attempt.says("sleeping")
    assert state(task)[1] == state(attempt.supervisor)[1] == attempt.manager
    assert os.getpgid(task) == task, "its supervisor signals the whole group"
    host.stop(attempt, grace=0.1)
    attempt.outcome()


def test_nobody_gets_a_tasks_pid_before_its_supervisor_is_done_with_it(host, gateway):
    attempt = host.run("sleeps")
    task = attempt.says("sleeping")
    os.kill(attempt.supervisor, signal.SIGSTOP)  # as one is that waits for a plane that is away
    os.kill(task, signal.SIGKILL)
    while (seen := state(task))[0] != "Z":
        time.sleep(0.01)
    time.sleep(0.2)
    assert state(task) == seen
    os.kill(attempt.supervisor, signal.SIGCONT)
    assert attempt.outcome().signal == "SIGKILL"
    assert not Path(f"/proc/{task}").exists()
