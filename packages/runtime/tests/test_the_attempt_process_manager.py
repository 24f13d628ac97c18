"""The supervisor's end of its process manager, with the test at the other."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tradewind_runtime.worker import supervisor


@pytest.fixture
def ends() -> Iterator[tuple[supervisor.ProcessManager, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield supervisor.ProcessManager(ours), theirs
    ours.close()
    theirs.close()


def pairs() -> list[socket.socket]:
    return [end for _ in range(2) for end in socket.socketpair()]


def test_a_process_is_asked_for_with_its_ends_and_is_told_past_the_process_manager(ends: Any) -> None:
    manager, link = ends
    link.send(b"4711")
    manager.telling = b"what is secret"
    assert manager.fork(pairs()) == 4711
    said, descriptors, _, _ = socket.recv_fds(link, 64, 8)
    assert len(descriptors) == 5 and b"secret" not in said
    with os.fdopen(descriptors.pop(), "rb") as told:
        assert told.read() == b"what is secret"
    for fd in descriptors:
        os.close(fd)


def test_a_process_that_cannot_be_had_is_an_error_that_names_the_cause(ends: Any) -> None:
    manager, link = ends
    link.send(b"%d" % -errno.EAGAIN)
    with pytest.raises(BlockingIOError, match="temporarily unavailable"):
        manager.fork(pairs())


def test_an_exit_code_is_remembered_until_the_next_attempt_and_a_late_one_is_nobodys(ends: Any) -> None:
    manager, link = ends
    assert manager.exit_code(0) is None
    link.send(b"-9")
    assert (manager.exit_code(0), manager.exit_code(None)) == (-9, -9)
    link.send(b"1")  # of a task nobody waited for any more
    reading, writing = os.pipe()
    socket.send_fds(link, [supervisor.NOTED_WORK], [reading])
    payload, noted = manager.next()
    assert noted and manager.exit_code(0) is None
    for fd in (payload, reading, writing):
        os.close(fd)
    link.close()
    assert manager.next() is None
