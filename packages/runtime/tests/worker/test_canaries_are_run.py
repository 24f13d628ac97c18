"""A canary in a real worker process: a real supervisor writes a real line of log."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import pids
from support.worker_host import PYTHON, FakeGateway, WorkerHost, alive
from tradewind_protocol import hosts
from tradewind_protocol.attempts import CanaryHop, WorkKind
from tradewind_protocol.states import OutcomeKind
from tradewind_runtime.airflow import canary

LONGEST = 10.0
"""Seconds that an agent waits (`tradewind_agent.work.canaries`): it says then that the start failed."""

CANARY = {"queue": "gpu:a/b"}


def test_a_canary_writes_a_line_and_leaves_nothing(host: WorkerHost, gateway: FakeGateway) -> None:
    assert host.receives(hosts.Hello).canary
    attempt = host.start(WorkKind.CANARY, CANARY)
    outcome = attempt.outcome()
    assert outcome.kind is OutcomeKind.SUCCEEDED, outcome
    assert outcome.canary.failed is None
    assert 0 < outcome.canary.log < 5
    assert list((host.home / "logs" / canary.FOLDER).iterdir()) == []
    assert gateway.of(attempt) == []
    assert host.run("succeeds").outcome().kind is OutcomeKind.SUCCEEDED, "and tasks run after it"


@pytest.fixture
def full_disk(own_home: Path) -> Iterator[Path]:
    """A file system without a free byte."""
    place = own_home / "logs"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        (place / canary.FOLDER).mkdir()
        with (place / "filler").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(4096))
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_fails_the_log_of_a_canary(full_disk: Path, own_host: Callable[..., WorkerHost]) -> None:
    outcome = own_host().start(WorkKind.CANARY, CANARY).outcome()
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.canary.failed is CanaryHop.LOG
    assert outcome.reason == "a log cannot be written: No space left on device"


STORAGE = """
from airflow.config_templates.airflow_local_settings import DEFAULT_LOGGING_CONFIG as LOGGING
class Storage:
    processors = ()
    def upload(self, path, ti=None):
        raise PermissionError(13, "may not write there", path)
    def read(self, path, ti):
        return [], None
REMOTE_TASK_LOG = Storage()
"""


def test_a_storage_that_takes_no_log_fails_the_log_of_a_canary(
    tmp_path: Path, own_host: Callable[..., WorkerHost]
) -> None:
    (tmp_path / "owners_storage.py").write_text(STORAGE)
    host = own_host(
        environ={
            "PYTHONPATH": str(tmp_path),
            "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": "owners_storage.LOGGING",
        }
    )
    outcome = host.start(WorkKind.CANARY, CANARY).outcome()
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.canary.failed is CanaryHop.LOG
    assert outcome.reason.startswith("the storage of task logs does not take a log: PermissionError")
    assert list((host.home / "logs" / canary.FOLDER).iterdir()) == []


SILENT = STORAGE.replace(
    'raise PermissionError(13, "may not write there", path)', "__import__('time').sleep(3600)"
)


def test_a_storage_that_does_not_answer_fails_the_log_in_seconds_and_leaves_no_process(
    tmp_path: Path, own_host: Callable[..., WorkerHost]
) -> None:
    (tmp_path / "owners_storage.py").write_text(SILENT)
    host = own_host(
        environ={
            "PYTHONPATH": str(tmp_path),
            "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": "owners_storage.LOGGING",
        }
    )
    for _ in range(2):
        attempt = host.start(WorkKind.CANARY, CANARY)
        outcome = attempt.outcome()
        assert outcome.canary.failed is CanaryHop.LOG
        assert outcome.reason == "the storage of task logs has not answered within 5 s"
        assert canary.ANSWERS_WITHIN <= outcome.canary.log < LONGEST
        until_gone(attempt.manager)


def until_gone(pid: int) -> None:
    """What waits for the storage ends with its process manager."""
    deadline = time.monotonic() + 20
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_machine_without_processes_fails_the_start(own_host: Callable[..., WorkerHost]) -> None:
    with pids.limited() as place:
        if place is None:
            pytest.skip("needs root and a writable pids cgroup")
        host = own_host(command=[*place.before_a_command, *PYTHON])
        host.receives(hosts.Hello)
        alone = place.current
        for more in (0, 2):  # none; the process manager and the supervisor
            place.allow(alone + more)
            outcome = host.start(WorkKind.CANARY, CANARY).outcome()
            assert outcome.kind is OutcomeKind.FAILED
            place.allow(None)
            place.wait_for(alone)
            if more:
                assert (outcome.canary.failed, outcome.canary.log) == (CanaryHop.START, None)
                assert (
                    outcome.reason == "no process of a task can be forked: Resource temporarily unavailable"
                )
            else:
                assert outcome.canary is None, "its agent says then that the start failed"
                assert "no process could be started for it" in outcome.reason
        assert host.start(WorkKind.CANARY, CANARY).outcome().kind is OutcomeKind.SUCCEEDED
        host.close()


def test_a_queues_name_is_a_file_of_its_own_inside_the_folder() -> None:
    paths = {canary.path_of(queue) for queue in ("a/b", "a_b", "../..", "x" * 250)}
    assert len(paths) == 4
    assert all(path.parent == Path(canary.FOLDER) and len(path.name) < 120 for path in paths)
