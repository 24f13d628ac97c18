"""What the plane does and what a remote site does are held on processors of their own while `apart` is measured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.processes import Role

from benchmarks import machines

FORKS = """
import os, sys
if os.fork() == 0:
    sys.stdin.readline()
    os._exit(0)
print("forked", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def forking() -> Iterator[Any]:
    """A process with one child."""
    process = subprocess.Popen(
        [sys.executable, "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "forked\n"
    yield psutil.Process(process.pid)
    process.communicate("end\nend\n")


@pytest.mark.parametrize(
    ("role", "agent", "place"),
    [("scheduler", object(), 0), ("worker", object(), 1), ("worker", None, 0)],
    ids=["the plane's", "a remote site's", "LocalExecutor's worker"],
)
def test_a_process_and_its_children_have_their_machines_processor(
    forking: psutil.Process, role: str, agent: object, place: int
) -> None:
    every = os.sched_getaffinity(0)
    if len(every) < 2:
        pytest.skip("two machines of one processor need two processors")
    side: Any = SimpleNamespace(agent=agent, roles={role: Role(lambda: [forking])})
    both = [forking, *forking.children()]
    with machines.of_one_processor(side):
        assert [each.cpu_affinity() for each in both] == [[sorted(every)[place]]] * 2
    assert [set(each.cpu_affinity() or ()) for each in both] == [every] * 2


def test_one_processor_is_not_two_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    side: Any = SimpleNamespace(agent=None, roles={})
    with pytest.raises(RuntimeError, match="need two processors"), machines.of_one_processor(side):
        pass
