"""Real processes, real signals: what is left when an agent ends, however it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest
from process_kit import AgentProcess, gone, interpreter

from tradewind_agent.testing import FakePlane
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.hosts import CONTROL_FD
from tradewind_protocol.polling import Finding, Verb
from tradewind_protocol.states import OutcomeKind

pytestmark = pytest.mark.process

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def agent(tmp_path: Path, plane: FakePlane) -> AgentProcess:
    return AgentProcess(tmp_path, plane)


def findings(plane: FakePlane) -> list[Finding]:
    return [each for _, poll in (plane.session.polls if plane.sessions else []) for each in poll.findings]


async def test_sigterm_lets_what_runs_end_and_then_the_agent_ends_with_0(
    agent: AgentProcess, plane: FakePlane
):
    argv = [sys.executable, "-c", "import time; time.sleep(1)"]
    attempt = plane.queue(argv=argv, wait=True)
    async with agent:
        await agent.until(lambda: attempt.starts)
        family = agent.family()
        agent.process.send_signal(signal.SIGTERM)
        assert await agent.ended() == 0, agent.output()
        await gone(family)
    assert [outcome.kind for outcome in attempt.outcomes] == [OutcomeKind.SUCCEEDED]
    assert plane.session.ended == "goodbye"


async def test_a_second_signal_stops_what_runs_at_once(agent: AgentProcess, plane: FakePlane):
    attempt = plane.queue(argv=SLEEP)
    async with agent:
        await agent.until(lambda: attempt.starts)
        family = await agent.grown(2)
        agent.process.send_signal(signal.SIGTERM)
        await agent.until(lambda: plane.session.polls[-1][1].draining)
        agent.process.send_signal(signal.SIGTERM)
        assert await agent.ended() == 0, agent.output()
        await gone(family)
    assert attempt.outcomes[0].kind is OutcomeKind.STOPPED


async def test_an_agent_that_is_killed_leaves_no_host_and_no_task_behind(
    agent: AgentProcess, plane: FakePlane
):
    attempt = plane.queue(argv=SLEEP)
    agent.options["components"] = "worker,dag_processor,triggerer"
    async with agent:
        await agent.until(lambda: attempt.starts)
        family = await agent.grown(4)
        agent.process.kill()
        await agent.ended()
        await gone(family)


async def test_a_worker_host_that_is_killed_takes_its_tasks_along_and_fails_them(
    agent: AgentProcess, plane: FakePlane
):
    attempt = plane.queue(argv=SLEEP)
    async with agent:
        await agent.until(lambda: attempt.starts)
        host, *tasks = await agent.grown(2)
        await agent.told_of_a_start()
        host.kill()
        await agent.until(lambda: attempt.outcomes)
        await gone(tasks)
        assert attempt.outcomes[0].kind is OutcomeKind.FAILED
        assert "was killed by SIGKILL" in attempt.outcomes[0].reason
        again = plane.queue(argv=[sys.executable, "-c", ""], wait=True)
        await agent.until(lambda: again.outcomes)


async def test_a_host_has_no_secret_in_its_environment_or_on_its_command_line(
    agent: AgentProcess, plane: FakePlane
):
    agent.python = sys.executable  # whose command line is looked at
    async with agent:
        await agent.ready()
        (host,) = agent.family()
        environment, argv = host.environ(), host.cmdline()
        assert {name for name in environment if name.startswith("TRADEWIND")} == {CONTROL_FD}
        assert "tw_" not in json.dumps([environment, argv])
        assert "tw_" not in json.dumps(psutil.Process(agent.process.pid).cmdline())
        assert os.getpgid(host.pid) == host.pid
        log = agent.state_dir / "logs" / "worker-default.log"
        assert "configured worker" in log.read_text()
        agent.process.send_signal(signal.SIGTERM)
        await agent.ended()
    assert "tw_" not in agent.output() + log.read_text()


@pytest.mark.parametrize(
    ("twist", "words"),
    [
        ("sys.exit('No module named tradewind_runtime')", "has no tradewind-runtime"),
        ("sys.exit(\"ModuleNotFoundError: No module named 'airflow'\")", "has no Airflow"),
        ("sys.exit('some trouble')", "ended with exit code 1 before it was ready: some trouble"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV before it was ready"),
        ("say(type='problem', message='no bundle', remedy='make one'); sys.exit(1)", "no bundle"),
        ("control.write('nonsense\\n'); control.flush(); sys.exit('after nonsense')", "after nonsense"),
    ],
)
async def test_an_environment_that_cannot_work_is_a_finding_that_says_why(
    tmp_path: Path, plane: FakePlane, twist: str, words: str
):
    agent = AgentProcess(tmp_path, plane, executable=interpreter(tmp_path, twist=twist))
    async with agent:
        await agent.until(lambda: any(words in each.message for each in findings(plane)))
        assert not plane.session.polls[-1][1].room


async def test_an_interpreter_that_is_not_there_is_a_finding_that_names_it(tmp_path: Path, plane: FakePlane):
    agent = AgentProcess(tmp_path, plane, executable=tmp_path / "nowhere")
    async with agent:
        await agent.until(lambda: findings(plane))
    (finding, *_) = findings(plane)
    assert "nowhere cannot be started: No such file" in finding.message and "interpreter" in finding.remedy


async def test_two_agents_never_share_a_state_directory(agent: AgentProcess):
    async with agent:
        await agent.ready()
        first = agent.process
        await agent.start()
        assert await agent.ended() == 78
        assert f"another agent runs from {agent.state_dir}" in agent.output()
        agent.process = first


async def test_an_agent_keeps_its_identity_from_life_to_life(agent: AgentProcess, plane: FakePlane):
    async with agent:
        await agent.ready()
        family = agent.family()
        agent.process.kill()
        await agent.ended()
        await gone(family)
        await agent.start()
        await agent.until(lambda: len(plane.sessions) == 2)
    first, second = plane.sessions
    assert first.opened.agent_id == second.opened.agent_id
    assert first.opened.instance != second.opened.instance
    assert first.fenced


async def test_a_token_the_plane_does_not_know_ends_the_agent_with_3_and_the_remedy(
    agent: AgentProcess, plane: FakePlane
):
    agent.token_file.write_text("tw_agent_" + "x" * 43)
    async with agent:
        assert await agent.ended() == 3
    assert "has never issued that token" in agent.output() and "Make a new one" in agent.output()
    assert "x" * 43 not in agent.output()


async def test_a_token_file_that_holds_no_token_ends_the_agent_with_78(agent: AgentProcess):
    agent.token_file.write_text("hunter2")
    async with agent:
        assert await agent.ended() == 78
    assert str(agent.token_file) in agent.output() and "hunter2" not in agent.output()


async def test_a_token_that_is_replaced_in_its_file_is_used_without_a_restart(
    agent: AgentProcess, plane: FakePlane
):
    async with agent:
        await agent.ready()
        old = plane.token
        replacement = "tw_agent_" + "n" * 43
        plane.tokens = {replacement}
        agent.token_file.write_text(replacement)
        plane.command(Verb.RESUME)  # ends the poll that waits
        await agent.until(lambda: [path for _, path in plane.requests].count("/sessions") == 2)
        assert old not in plane.tokens and len(plane.sessions) == 1
        attempt = plane.queue(argv=[sys.executable, "-c", ""], wait=True)
        await agent.until(lambda: attempt.outcomes)


async def test_a_token_that_was_deleted_does_not_end_an_agent_that_has_another(
    agent: AgentProcess, plane: FakePlane
):
    async with agent:
        await agent.ready()
        replacement = "tw_agent_" + "n" * 43
        old = plane.session

        def old_is_gone(path: str) -> Refused | None:
            deleted = path != "/sessions" and plane.session is old and plane.tokens == {replacement}
            return Refused(Code.TOKEN_DELETED, "deleted") if deleted else None

        plane.refuse = old_is_gone
        agent.token_file.write_text(replacement)
        plane.tokens = {replacement}
        plane.end_session("its token was deleted")
        await agent.until(lambda: len(plane.sessions) == 2 and plane.session.polls)


async def test_people_and_probes_can_see_how_it_is(agent: AgentProcess, plane: FakePlane):
    port = _free_port()
    agent.options["metrics_port"] = port
    async with agent:
        await agent.ready()

        def get(path: str) -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return str(answer.read().decode())

        assert await asyncio.to_thread(get, "/healthz") == "ok\n"
        assert await asyncio.to_thread(get, "/readyz") == "ready\n"
        metrics = await asyncio.to_thread(get, "/metrics")
        assert "tradewind_agent_plane_reachable 1" in metrics
        assert 'tradewind_agent_slots{environment="default",state="free"} 20' in metrics
        assert "tradewind_agent_disk_free_bytes " in metrics
        none_yet = 'tradewind_agent_attempts_ended_total{process="exited",task_state="failed"} 0'
        assert none_yet in metrics, "a first failure is an increase only after a 0"
        assert json.loads(await asyncio.to_thread(get, "/status"))["agent"]["name"] == "site-1"
        await asyncio.sleep(2.2)  # the status file is written every two seconds
        shown = await _status(agent)
        assert shown.returncode == 0
        assert "0 of 20 slots" in shown.stdout and "ready" in shown.stdout
        agent.process.send_signal(signal.SIGTERM)
        await agent.ended()
        assert (await _status(agent)).returncode == 3


async def _status(agent: AgentProcess) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "tradewind_agent", "status", "--state-dir", str(agent.state_dir)]
    return await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, check=False)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
