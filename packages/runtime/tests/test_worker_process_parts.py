"""The worker process's parts on their own: words of an ending, preloading, paths, the control socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from datetime import datetime, timezone

import pytest

from tradewind_protocol import hosts
from tradewind_protocol.states import Component, OutcomeKind
from tradewind_runtime import control, environment
from tradewind_runtime.airflow import workloads as airflow_worker
from tradewind_runtime.worker import outcomes

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def an_ending(**facts):
    return outcomes.outcome(
        outcomes.Ending(**{"started_at": NOW, "ended_at": NOW, "wait_status": 0, "word": None, **facts}),
        epoch=1,
    )


@pytest.mark.parametrize(
    ("facts", "kind", "reason"),
    [
        ({"word": {"exit_code": 0}}, OutcomeKind.SUCCEEDED, ""),
        (
            {"word": {"exit_code": 3}},
            OutcomeKind.FAILED,
            "the task's process exited with code 3; see its log",
        ),
        (
            {"word": {"exit_code": -9}},
            OutcomeKind.FAILED,
            "the task's process was killed by SIGKILL: killed from outside, often for want of memory",
        ),
        (
            {"word": {"exit_code": -9}, "out_of_memory": "the container's memory limit was reached"},
            OutcomeKind.FAILED,
            "the task's process was killed by SIGKILL: the container's memory limit was reached",
        ),
        (
            {"word": {"exit_code": -11}},
            OutcomeKind.FAILED,
            "the task's process was killed by SIGSEGV: crashed in native code (segmentation fault)",
        ),
        ({"word": {"exit_code": -40}}, OutcomeKind.FAILED, "the task's process was killed by signal 40"),
        ({"word": {"problem": "no"}}, OutcomeKind.FAILED, "no"),
        (
            {"wait_status": 15},
            OutcomeKind.FAILED,
            "the attempt's supervisor was killed by SIGTERM: asked to stop",
        ),
        (
            {"wait_status": 3 << 8},
            OutcomeKind.FAILED,
            "the attempt's supervisor exited without a word (exit code 3)",
        ),
        ({}, OutcomeKind.FAILED, "the attempt's supervisor exited without a word (exit code 0)"),
        ({"word": {"exit_code": 0}, "stop_reason": "drain"}, OutcomeKind.STOPPED, "drain"),
        ({"wait_status": 9, "stop_reason": "drain"}, OutcomeKind.STOPPED, "drain"),
        ({"word": {"exit_code": -9, "unwanted": "cleared"}}, OutcomeKind.STOPPED, "cleared"),
        (
            {"word": {"exit_code": 1}, "unkillable": (7,)},
            OutcomeKind.FAILED,
            "the task's process exited with code 1; see its log; still there and not killable: process 7",
        ),
    ],
)
def test_an_ending_is_told_in_words(facts, kind, reason):
    outcome = an_ending(**facts)
    assert (outcome.kind, outcome.reason) == (kind, reason)


def test_memory_is_blamed_only_when_the_kernel_counted_a_kill_meanwhile():
    assert outcomes.whose_memory((1, 5), (2, 6)) == "the container's memory limit was reached"
    assert outcomes.whose_memory((1, 5), (1, 6)) == "the machine ran out of memory"
    assert outcomes.whose_memory((1, 5), (1, 5)) == ""


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x"])
def test_a_path_that_leaves_its_folder_is_refused(path):
    with pytest.raises(airflow_worker.WorkloadRefused):
        airflow_worker.inside(path, "log")


def test_a_module_whose_import_leaves_a_thread_or_a_socket_is_not_preloaded(tmp_path):
    (tmp_path / "leaves_a_thread.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    (tmp_path / "leaves_a_socket.py").write_text("import socket\nkept = socket.socket()\n")
    (tmp_path / "imports_the_thread.py").write_text("import leaves_a_thread\n")
    (tmp_path / "is_harmless.py").write_text("")
    (tmp_path / "kills_itself.py").write_text("import os\nos.abort()\n")
    script = """
        import sys, threading
        from tradewind_runtime.accelerators.libraries import preload
        names = ["leaves_a_thread", "imports_the_thread", "leaves_a_socket", "is_missing", "is_harmless"]
        print([refusal.module for refusal in preload.preload(names)])
        print(sorted(name for name in names if name in sys.modules), threading.active_count())
    """
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said == [
        "['leaves_a_thread', 'imports_the_thread', 'leaves_a_socket', 'is_missing']",
        "['is_harmless'] 1",
    ]


def test_many_unsafe_modules_do_not_make_the_safe_ones_imported_again_and_again(tmp_path):
    (tmp_path / "counted.py").write_text("open('count', 'a').write('x')\n")
    for number in range(5):
        (tmp_path / f"unsafe_{number}.py").write_text("print('hello')\n")
    names = ["counted", *(f"unsafe_{number}" for number in range(5))]
    script = "import sys; from tradewind_runtime.accelerators.libraries import preload; print(len(preload.preload(sys.argv[1:])))"
    said = subprocess.run(
        [sys.executable, "-c", script, *names],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == "5\n"
    assert (tmp_path / "count").read_text() == "xx"  # tried once, kept once


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("print('hello')", "prints something"),
        ("import os; os.write(2, b'hello')", "prints something"),
        ("import logging; logging.getLogger('mine').warning('beware')", "logs or warns"),
        ("import warnings; warnings.warn('beware')", "logs or warns"),
        ("import structlog; structlog.get_logger().info('hello')", "logs or warns"),
        ("import structlog; log = structlog.get_logger().bind(a=1)", "logs or warns"),
        ("import atexit; atexit.register(print)", "at the end of the process"),
        ("import os; os.environ['OF_A_LIBRARY'] = '1'", "environment variables"),
        ("import os; os.chdir('/')", "working directory"),
        ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)", "handles signals"),
        ("import sys; sys.excepthook = print", "a hook of the interpreter"),
        ("import logging; logging.basicConfig(level=1)", "the root logger"),
    ],
)
def test_a_module_whose_import_does_what_a_task_would_lack_is_not_preloaded(tmp_path, module, reason):
    (tmp_path / "acts.py").write_text(module + "\n")
    script = """
        import logging, structlog, sys
        from tradewind_runtime.accelerators.libraries import preload
        [refusal] = preload.preload(["acts"])
        print(refusal.reason, "acts" in sys.modules)
    """
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert reason in said and said.endswith(" False\n")


def test_a_module_that_kills_its_process_is_named(tmp_path):
    (tmp_path / "kills_itself.py").write_text("import os\nos._exit(3)\n")
    script = "from tradewind_runtime.accelerators.libraries import preload; print(preload.preload(['json', 'kills_itself', 'csv']))"
    said = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "module='kills_itself'" in said
    assert "module='json'" not in said


def test_the_control_socket_tells_of_messages_and_of_its_end():
    ours, theirs = socket.socketpair()
    host = control.Control(theirs)
    configure = hosts.Configure(
        component=Component.WORKER, agent_name="a", gateway="/g", secret="tw_local_secret"
    )
    ours.sendall(hosts.line(configure) + hosts.line(hosts.StopHost(now=True))[:5])
    assert host.receive() == configure
    assert host.receive(0) is None
    ours.sendall(hosts.line(hosts.StopHost(now=True))[5:])
    assert list(host.waiting()) == [hosts.StopHost(now=True)]
    ours.close()
    with pytest.raises(control.ControlClosed):
        host.receive()
    with pytest.raises(control.ControlClosed):
        host.send(hosts.HostStatus(line=""))
    host.close()


def test_the_control_sockets_number_leaves_the_environment():
    ours, theirs = socket.socketpair()
    environ = {hosts.CONTROL_FD: str(theirs.detach())}
    host = control.Control.from_environment(environ)
    assert environ == {}
    assert not os.get_inheritable(host.fileno())
    host.close()
    ours.close()


@pytest.mark.parametrize("environ", [{}, {hosts.CONTROL_FD: "x"}, {hosts.CONTROL_FD: "987654"}])
def test_a_host_started_by_hand_says_who_starts_it(environ):
    with pytest.raises(control.ControlClosed, match=hosts.CONTROL_FD):
        control.Control.from_environment(environ)


def test_no_connection_string_of_a_plane_survives():
    environ = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://plane",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "cat /secret",
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN_SECRET": "x",
    }
    environment.without_database(environ)
    assert set(environ.values()) == {environment.NO_DATABASE}
