"""A real agent process, a fake plane on a real port, and hosts that are ten lines of Python."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psutil

from support import forked
from tradewind_agent.kits.serving import Serving
from tradewind_agent.testing import FakePlane

HOST = """#!{python}
import http.client, json, os, signal, socket, subprocess, sys, time
control = socket.socket(fileno=int(os.environ["TRADEWIND_CONTROL_FD"])).makefile("rw")
def say(**message):
    try:
        control.write(json.dumps(message) + "\\n"); control.flush()
    except OSError:
        pass  # the agent is gone; the end of the loop below is next
children = {{}}
def end(attempt, kind, **more):
    child = children.pop(attempt)
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL); child.wait()
    say(type="attempt_ended", attempt_id=attempt, outcome={{"epoch": 1, "kind": kind, **more}})
def may_start(attempt, secret):  # as Airflow's supervisor asks, and the plane grants with the answer
    asking = http.client.HTTPConnection("gateway")
    asking.sock = socket.socket(socket.AF_UNIX)
    said = {{"Authorization": "Bearer " + secret, "Content-Type": "application/json"}}
    try:
        asking.sock.connect(gateway)
        asking.request("PATCH", "/execution/task-instances/" + attempt + "/run", json.dumps({{"state": "running"}}), said)
        return asking.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False  # the agent is gone
{twist}
for line in control:
    message = json.loads(line)
    if message["type"] == "configure":
        gateway = message["gateway"]
        print("configured", message["component"], flush=True)
        say(type="hello", python="3", airflow="3.3.2", runtime="0", pid=os.getpid())
    elif message["type"] == "run_attempt":
        attempt, workload = message["attempt_id"], message["workload"]
        children[attempt] = subprocess.Popen(workload["argv"], start_new_session=True)
        say(type="attempt_started", attempt_id=attempt, pid=children[attempt].pid)
        print("said that it started", flush=True)
        if not may_start(attempt, message["secret"]):
            end(attempt, "failed")
        elif workload.get("wait"):
            code = children[attempt].wait()
            end(attempt, "succeeded" if code == 0 else "failed", exit_code=code)
    elif message["type"] == "stop_attempt" and message["attempt_id"] in children:
        end(message["attempt_id"], "failed", signal="SIGKILL")
    elif message["type"] == "stop_host":
        break
for attempt in list(children):
    end(attempt, "failed")
"""


def interpreter(
    directory: Path, *, name: str = "python", twist: str = "", python: str = sys.executable
) -> Path:
    """An "interpreter" whose tradewind_runtime is HOST. `twist` runs before it listens."""
    path = directory / name
    path.write_text(HOST.format(python=python, twist=twist))
    path.chmod(0o755)
    return path


_AGENT: Final = "import tradewind_agent.agent, tradewind_agent.cli.main"


class ForkedAgent:
    """`python -m tradewind_agent` as of `asyncio.create_subprocess_exec`, forked from a process that has imported the agent."""

    def __init__(self, *arguments: str, env: dict[str, str], output: int) -> None:
        common = {"PATH": os.environ["PATH"]}
        self._process = forked.Process(
            "tradewind_agent", *arguments, env=common, also=env, output=output, prepared=_AGENT
        )
        self.pid = self._process.pid
        self._ending = asyncio.create_task(asyncio.to_thread(self._process.wait))

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def wait(self) -> int:
        return await asyncio.shield(self._ending)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class AgentProcess:
    """`tradewind-agent run` as a child, and the plane it dials. Leaves no process behind.

    With a `python`, the agent has an interpreter of its own: its environment, command line and memory are those of a real one.
    """

    def __init__(
        self,
        directory: Path,
        plane: FakePlane,
        *,
        executable: Path | None = None,
        through: tuple[str, ...] = (),
        python: str = "",
        env: dict[str, str] | None = None,
    ) -> None:
        self.through = through  # a command that starts the agent
        self.python = python or (sys.executable if through else "")
        self.env = env or {}
        self.directory = directory
        self.plane = plane
        self.state_dir = directory / "state"
        self.options: dict[str, Any] = {
            "interpreter": executable or interpreter(directory),
            "components": "worker",
        }
        self.token_file = directory / "token"
        self.token_file.write_text(plane.token)
        self.token_file.chmod(0o600)
        self.seen: list[psutil.Process] = []
        self.error_output = directory / "agent.err"

    async def __aenter__(self) -> AgentProcess:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._serving = await Serving(self.plane, listener, name="plane").__aenter__()
        await self.start()
        return self

    async def start(self) -> None:
        options = {
            "plane_url": self.url,
            "token_file": self.token_file,
            "state_dir": self.state_dir,
            "name": "site-1",
            "metrics_port": 0,
            **self.options,
        }
        flags = [
            part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        env = {"PATH": os.environ["PATH"], "TRADEWIND_AGENT_UNUSED": "x", "HOME": str(self.directory)}
        env |= self.env
        self.process: ForkedAgent | asyncio.subprocess.Process
        with self.error_output.open("ab") as errors:
            if not self.python:
                self.process = ForkedAgent("run", *flags, env=env, output=errors.fileno())
                return
            self.process = await asyncio.create_subprocess_exec(
                *(*self.through, self.python, "-m", "tradewind_agent", "run", *flags),
                stdout=errors,
                stderr=errors,
                env=env,
            )

    async def until(self, condition: Callable[[], Any]) -> None:
        """As FakePlane.until; fails with the agent's output when the agent ends first."""
        waiting = asyncio.ensure_future(self.plane.until(condition))
        ending = asyncio.ensure_future(self.process.wait())
        try:
            await asyncio.wait([waiting, ending], return_when=asyncio.FIRST_COMPLETED)
            assert waiting.done(), f"the agent ended:\n{self.output()}"
        finally:
            waiting.cancel()
            ending.cancel()

    async def ready(self) -> None:
        await self.until(
            lambda: self.plane.sessions and self.plane.session.polls and self.plane.session.polls[-1][1].room
        )

    def family(self) -> list[psutil.Process]:
        """The agent's descendants."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        self.seen += found
        return found

    async def grown(self, members: int) -> list[psutil.Process]:
        """The agent's descendants, once there are so many."""
        while len(found := self.family()) < members:  # noqa: ASYNC110 (a process table has no events)
            await asyncio.sleep(0.05)
        return found

    async def told_of_a_start(self) -> None:
        """Once the host has told the agent of an attempt's process: killed before that, nobody could name it."""
        log = self.state_dir / "logs" / "worker-default.log"
        while "said that it started" not in log.read_text():  # noqa: ASYNC110 (a file has no events)
            await asyncio.sleep(0.05)

    def output(self) -> str:
        return self.error_output.read_text()

    async def ended(self) -> int:
        return await self.process.wait()

    async def __aexit__(self, *error: object) -> None:
        if self.process.returncode is None:
            self.family()
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()
        if self.plane.sessions and not self.plane.session.ended:
            self.plane.end_session("the test is over")  # answers the poll that waits
        await self._serving.__aexit__(None, None, None)
        for process in self.seen:
            with contextlib.suppress(psutil.Error):
                process.kill()


async def gone(processes: list[psutil.Process], *, within: float = 60.0) -> None:
    """Wait until none of them lives."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, within)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE], f"still alive: {alive}"
