"""A process of the agent's user cannot read the agent's memory, in which its tokens are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_kit import AgentProcess

from support.inspection import ORDINARY, can_be_read
from tradewind_agent.testing import FakePlane

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/PID/mem"),
]


@pytest.fixture
def unprotected() -> Iterator[int]:
    waits = [*ORDINARY, sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        yield process.pid
        process.stdin.close()


@pytest.mark.timeout(60)
async def test_an_agent_refuses_what_a_process_without_protection_allows(
    tmp_path: Path, unprotected: int
) -> None:
    assert can_be_read(unprotected), "the test can see a process that is not protected"
    async with AgentProcess(tmp_path, FakePlane(), through=ORDINARY) as agent:
        await agent.ready()
        assert not can_be_read(agent.process.pid)
