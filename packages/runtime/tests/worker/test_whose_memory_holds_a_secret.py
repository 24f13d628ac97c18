"""A fork inherits what its parent held at that moment, and a task may read all of its own memory: so no process but an
attempt's own supervisor may hold its secret."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tradewind_protocol.states import OutcomeKind

pytestmark = pytest.mark.process


@pytest.fixture(scope="module", params=["all", "none"])
def accelerators(request):
    return request.param


def held(pid: int, *attempts) -> list[Any]:
    """Those of the attempts whose secret is anywhere in the process's memory, or what is left of one that was freed and whose
    first bytes have been written over. The memory is read once for all of them."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in place.split("-"))
            memory.seek(start)
            written = memory.read(end - start)
            found += [one for one in attempts if one not in found and one.secret[-24:].encode() in written]
            if len(found) == len(attempts):
                break
    return found


def title(pid: int | str) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0]


def warm_process(host) -> int:
    """The one that holds learned libraries, once it is there."""
    children = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children")
    deadline = time.monotonic() + 30
    while not (found := [pid for pid in children.read_text().split() if title(pid).endswith(", preloaded")]):
        assert time.monotonic() < deadline, host.output.read_text()
        time.sleep(0.01)
    return int(found[0])


def end(host, *attempts) -> None:
    for attempt in attempts:
        host.stop(attempt, grace=0.1)
        attempt.outcome()


def test_a_task_does_not_hold_its_own_attempts_secret(own_host, gateway):
    host = own_host()
    attempt = host.run("can_be_looked_into")
    task = attempt.says("sleeping")
    assert held(os.getpid(), attempt), "where it is, it is found"
    assert [pid for pid in (host.process.pid, attempt.manager, task) if held(pid, attempt)] == []
    end(host, attempt)


def test_a_task_holds_no_secret_of_the_attempt_before_it_and_of_its_supervisor(
    own_host, gateway, accelerators
):
    host = own_host()
    first = host.run("succeeds")
    assert first.outcome().kind is OutcomeKind.SUCCEEDED
    second = host.run("can_be_looked_into")
    task = second.says("sleeping")
    assert (second.manager == first.manager) is (accelerators == "all")
    for pid in (second.manager, task):
        assert held(pid, first, second) == []
    end(host, second)


@pytest.mark.parametrize("padding", [0, 200_000], ids=["short", "longer than a pipe holds"])
def test_a_task_holds_no_secret_of_attempts_that_were_told_together_with_its_own(own_host, gateway, padding):
    host = own_host()
    with host.saying_nothing_yet() as lines:
        attempts = [host.run("can_be_looked_into", padding="x" * padding) for _ in range(3)]
    first, second, third = attempts
    said = b"".join(lines)
    cut = len(said) - len(lines[2]) // 4
    assert third.secret.encode() in said[:cut]
    host.control.sendall(said[:cut])
    tasks = [first.says("sleeping"), second.says("sleeping")]
    for pid in (*tasks, first.manager, second.manager):
        assert held(pid, *attempts) == []
    host.control.sendall(said[cut:])
    assert held(third.says("sleeping"), third) == []
    end(host, *attempts)


def test_the_process_that_holds_libraries_holds_no_secret(own_host, gateway):
    host = own_host(accelerators="all")
    first = host.run("sleeps", dag_id="imports_a_library")
    first.says("sleeping")
    # What the first has taught is looked at when the second comes.
    second = host.run("sleeps", dag_id="imports_a_library")
    warm = warm_process(host)
    second.says("sleeping")
    assert held(warm, first, second) == []
    end(host, first, second)
