"""With accelerators a supervisor serves one attempt after the other, and learns of their ends at once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tradewind_protocol.states import OutcomeKind

pytestmark = pytest.mark.process


def under(root: int) -> list[int]:
    """Every process below `root`."""
    children = Path(f"/proc/{root}/task/{root}/children").read_text().split()
    return [pid for child in map(int, children) for pid in (child, *under(child))]


def gone(*pids: int) -> None:
    """Wait until no process has one of these pids, as a zombie neither."""
    deadline = time.monotonic() + 5
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


@pytest.mark.parametrize("killed", ["manager", "supervisor"])
def test_a_supervisor_killed_while_it_had_no_work_is_collected_and_no_other(own_host, killed):
    host = own_host(learn=False)
    with host.saying_nothing_yet() as lines:  # side by side each has its own
        idle, killed_one, busy = host.run("succeeds"), host.run("succeeds"), host.run("sleeps")
    host.control.sendall(b"".join(lines))
    others = {busy.says("sleeping"), busy.manager, busy.supervisor, idle.manager, idle.supervisor}
    pids = {killed_one.manager, killed_one.supervisor}
    idle.outcome(), killed_one.outcome()
    assert set(under(host.process.pid)) == others | pids
    os.kill(getattr(killed_one, killed), signal.SIGKILL)
    gone(*pids)
    assert set(under(host.process.pid)) == others
    host.stop(busy, grace=0.1)
    busy.outcome()


def test_attempts_that_follow_each_other_share_a_supervisor_and_no_process(host, gateway, is_alive):
    first, second = host.run("shows_itself"), host.run("shows_itself")
    tasks = [first.says("task"), second.says("task")]
    first.outcome(), second.outcome()
    assert first.supervisor != second.supervisor, "side by side each has its own"
    assert first.manager != second.manager
    third = host.run("shows_itself")
    tasks.append(third.says("task"))
    assert third.outcome().kind is OutcomeKind.SUCCEEDED
    assert third.supervisor in (first.supervisor, second.supervisor)
    assert len(set(tasks)) == 3
    assert not {line for line in first.log().splitlines() if second.secret in line}
    assert [asked.secret for asked in gateway.of(third)] == [third.secret] * len(gateway.of(third))
