"""A trigger's lines arrive on one socket and the word that it has finished on another: no line of it is lost."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradewind_runtime.triggers.log_socket import LogSocket

PROBE = """
import socket, time, uuid
from pathlib import Path
import msgspec, psutil, structlog
from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.jobs.triggerer_job_runner import messages
from airflow.sdk.execution_time.comms import _RequestFrame
from airflow.sdk.execution_time.supervisor import PsutilTracker
from tradewind_runtime.airflow.trigger_reports import TriggerReports
from tradewind_runtime.airflow.trigger_workloads import LogFile
from tradewind_runtime.airflow.triggers import Supervisor
from tradewind_runtime.triggers.assigned_triggers import AssignedTriggers
from tradewind_runtime.triggers.outbox import Outbox

def one_line(number):
    return msgspec.json.encode({"trigger_id": 1, "level": "info", "event": f"line {number}", "timestamp": "2026-01-01T00:00:00Z"}) + b"\\n"

class Uploaded(LogFile):
    def upload_to_remote(self):
        self.uploaded = self._path.read_bytes() if self._path else b""

class Triggers:
    # The sockets of a process that runs triggers, and the supervisor at their other ends.
    def __init__(self, folder):
        pairs = [socket.socketpair() for _ in range(4)]
        self.stdout, self.stderr, self.requests, self.logs = (pair[0] for pair in pairs)
        assigned = AssignedTriggers(clock=time.monotonic)
        self.supervisor = Supervisor(
            id=uuid.uuid4(), pid=0, stdin=pairs[2][1], process=PsutilTracker(psutil.Process()), process_log=structlog.get_logger(),
            capacity=10, agent_name="eu-1", assigned=assigned, reports=TriggerReports(assigned, Outbox()), open_client=lambda: None,
        )
        self.supervisor._register_pipe_readers(*(pair[1] for pair in pairs), data={})
        self.file = Uploaded(log_path=f"{folder}/log", ti=None, files=self.supervisor._files)
        self.supervisor.logger_cache[1] = self.file
        self.supervisor.running_triggers = {1}

    def finish(self):
        body = messages.TriggerStateChanges(finished=[1]).model_dump()
        self.requests.sendall(_RequestFrame(id=1, body=body).as_bytes())

    def serve_until_answered(self):
        self.requests.setblocking(False)
        while True:
            self.supervisor._service_subprocess(0.05)
            try:
                return len(self.requests.recv(65536))
            except BlockingIOError:
                pass

def finished_with(folder, lines, word_first):
    triggers = Triggers(folder)
    said = b"".join(one_line(number) for number in range(lines))
    if word_first:
        triggers.finish()
    triggers.logs.sendall(said)
    if not word_first:
        triggers.finish()
    triggers.serve_until_answered()
    return triggers.file.uploaded.count(b'"line ')
"""


@pytest.mark.parametrize(
    "word_first", [True, False], ids=["the word is seen first", "the lines are seen first"]
)
@pytest.mark.parametrize("lines", [1, 1_000])
def test_what_a_trigger_said_before_it_finished_is_in_what_is_uploaded(
    probing: Callable[..., Any], tmp_path: Path, lines: int, word_first: bool
) -> None:
    """With more lines than one read takes, and whichever socket the selector names first."""
    (tmp_path / "logs").mkdir()
    found = probing(
        PROBE, f"finished_with({str(tmp_path / 'logs')!r}, {lines}, {word_first})", state=tmp_path / "state"
    )
    assert found == lines


@pytest.fixture
def pair() -> Any:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


class Reader:
    """As Airflow's: one read of what is there, and False at the end."""

    def __init__(self, at_most: int = 4096) -> None:
        self.buffer = bytearray(at_most)
        self.got = b""
        self.meanwhile: Callable[[], Any] = lambda: None

    def __call__(self, sock: Any) -> bool:
        read = sock.recv_into(self.buffer)
        self.got += self.buffer[:read]
        self.meanwhile()
        return bool(read)


def test_a_drain_reads_what_is_there_and_ends_although_others_go_on_writing(pair: Any) -> None:
    ours, theirs = pair
    reader = Reader(at_most=10)
    logs = LogSocket(ours, reader)
    theirs.sendall(b"a" * 95)
    reader.meanwhile = lambda: theirs.sendall(b"b" * 10)
    logs.drain()
    assert reader.got == b"a" * 95 + b"b" * 5  # the last read took what it had room for


def test_a_socket_that_was_drained_after_it_was_announced_is_not_waited_for(pair: Any) -> None:
    ours, theirs = pair
    reader = Reader()
    logs = LogSocket(ours, reader)
    theirs.sendall(b"a line\n")
    logs.drain()
    assert logs.read()
    assert reader.got == b"a line\n"


def test_the_end_is_told_once_more_to_whoever_reads_next(pair: Any) -> None:
    ours, theirs = pair
    reader = Reader()
    logs = LogSocket(ours, reader)
    theirs.sendall(b"the last line\n")
    theirs.close()
    logs.drain()
    assert logs.read() is False
    logs.drain()
    assert reader.got == b"the last line\n"
