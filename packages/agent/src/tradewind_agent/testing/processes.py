"""Processes of task environments without Airflow and without a process, which do what a test tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx

from tradewind_agent.environments.launcher import ChildProcess, ProcessCommand
from tradewind_protocol import paths
from tradewind_protocol.attempts import (
    AttemptRef,
    CanaryMarks,
    Outcome,
    WorkKind,
)
from tradewind_protocol.hosts import (
    AttemptEnded,
    AttemptStarted,
    Configure,
    Hello,
    RunAttempt,
    StopAttempt,
    StopHost,
)
from tradewind_protocol.messages import Message
from tradewind_protocol.states import OutcomeKind


class FakeProcess:
    """A component without a process. A worker's attempts ask the gateway whether they may start, as Airflow's supervisor
    does, run for `workload["taking"]` seconds of the loop's clock, or until they are stopped; `workload["outcome"]` says
    how they end, and `workload["rule"]` which rule of the owner refused them in their own process. `workload["asks"]` is a path
    of the Execution API that they ask the gateway for."""

    def __init__(
        self,
        command: ProcessCommand,
        *,
        airflow: str,
        canary: bool,
        problem: Message | None,
        may_start: Callable[[RunAttempt], Awaitable[bool]],
        ask: Callable[[RunAttempt, str], Awaitable[bool]],
    ) -> None:
        self.command = command
        self.configured: Configure | None = None
        self.received: list[Message] = []
        self.attempts: dict[UUID, asyncio.Task[None]] = {}
        self.accelerators = {"shared_heap": "", "early_imports": "there is one"}  # as its Hello tells of them
        self.canary = canary  # whether it runs canaries
        self._airflow = airflow
        self._problem = problem
        self._may_start = may_start
        self._ask = ask
        self.started: list[AttemptRef] = []  # those that were let
        self._outbound: asyncio.Queue[Message | None] = asyncio.Queue()
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.pid = 4_000_000 + id(self) % 1_000_000  # above any real pid on Linux

    def send(self, message: Message) -> None:
        if self._exit.done():
            return
        self.received.append(message)
        if isinstance(message, Configure):
            self.configured = message
            hello = Hello(
                python="3.12.1",
                airflow=self._airflow,
                runtime="0",
                pid=self.pid,
                accelerators=self.accelerators,
                canary=self.canary,
            )
            self.say(self._problem or hello)
        elif isinstance(message, RunAttempt):
            self.attempts[message.attempt_id] = asyncio.create_task(self._run(message), name="fake attempt")
        elif isinstance(message, StopAttempt):
            if task := self.attempts.get(message.attempt_id):
                task.cancel()
        elif isinstance(message, StopHost):
            for task in self.attempts.values():
                task.cancel()
            asyncio.get_running_loop().call_soon(self.exit, 0)

    def say(self, message: Message) -> None:
        """Send a message as the process would."""
        self._outbound.put_nowait(message)

    def exit(self, code: int) -> None:
        """End, taking everything along: -9 as if killed."""
        if not self._exit.done():
            for task in self.attempts.values():
                task.cancel()
            self._exit.set_result(code)
            self._outbound.put_nowait(None)

    async def receive(self) -> Any | None:
        return await self._outbound.get()

    def signal(self, number: int) -> None:
        self.exit(-number)

    async def wait(self) -> int:
        return await asyncio.shield(self._exit)

    def tail(self) -> str:
        return ""

    async def close(self) -> None:
        self.exit(-9)
        await asyncio.gather(*self.attempts.values(), return_exceptions=True)

    async def _run(self, message: RunAttempt) -> None:
        self.say(AttemptStarted(attempt_id=message.attempt_id, pid=self.pid))
        kind = OutcomeKind(message.workload.get("outcome", "succeeded"))
        try:
            await asyncio.sleep(message.workload.get("starting", 0))
            if await self._may_start(message):
                self.started.append(AttemptRef(attempt_id=message.attempt_id, epoch=message.epoch))
                if path := message.workload.get("asks"):
                    kind = kind if await self._ask(message, path) else OutcomeKind.FAILED
                await asyncio.sleep(message.workload.get("taking", 0))
            else:
                kind = OutcomeKind.FAILED
        except asyncio.CancelledError:
            kind = OutcomeKind.FAILED
        finally:
            del self.attempts[message.attempt_id]
        rule = str(message.workload.get("rule", ""))
        marks = CanaryMarks(log=0.0) if message.kind is WorkKind.CANARY else None
        outcome = Outcome(
            epoch=message.epoch,
            kind=kind,
            exit_code=0 if kind is OutcomeKind.SUCCEEDED else 1,
            reason=f"the site's rule {rule!r} refuses it" if rule else "",
            rule=rule,
            canary=marks,
        )
        self.say(AttemptEnded(attempt_id=message.attempt_id, outcome=outcome))


class FakeLauncher:
    """Starts fake processes and remembers them."""

    def __init__(self, *, airflow: str = "3.3.2") -> None:
        self.processes: list[FakeProcess] = []
        self.airflow = airflow
        self.canary = True  # False: its runtime is of a version that knows no canaries
        self.problem: Message | None = None  # what every process says instead of Hello
        self.gateway: Callable[..., Awaitable[None]] | None = (
            None  # what supervisors ask; None: they start without asking
        )

    async def launch(self, command: ProcessCommand) -> ChildProcess:
        process = FakeProcess(
            command,
            airflow=self.airflow,
            canary=self.canary,
            problem=self.problem,
            may_start=self._may_start,
            ask=self._asked,
        )
        self.processes.append(process)
        return process

    @property
    def worker(self) -> FakeProcess:
        """The worker process started last."""
        return next(each for each in reversed(self.processes) if "worker" in each.command.title)

    def ran(self) -> list[AttemptRef]:
        """Every attempt whose user code a process ran, in order."""
        return [ref for each in self.processes for ref in each.started]

    async def _may_start(self, message: RunAttempt) -> bool:
        if self.gateway is None or message.kind is not WorkKind.TASK:
            return True
        path = f"/task-instances/{message.workload.get('ti', {}).get('id', message.attempt_id)}/run"
        return await self._asked(message, path, method="PATCH", json={"state": "running"})

    async def _asked(self, message: RunAttempt, path: str, *, method: str = "GET", json: Any = None) -> bool:
        """Whether the gateway lets the attempt have it."""
        assert self.gateway is not None
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.gateway), base_url="http://gateway"
        ) as client:
            response = await client.request(
                method,
                f"{paths.EXECUTION}{path}",
                json=json,
                headers={"Authorization": f"Bearer {message.secret}"},
            )
        return response.is_success
