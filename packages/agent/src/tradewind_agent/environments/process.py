"""One process of a task environment kept alive: started, configured, watched, started again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from enum import Enum
from typing import Any

import structlog

from tradewind_agent.access.local_secrets import ComponentPrincipal, LocalSecrets
from tradewind_agent.environments.launcher import ChildProcess, Launcher, ProcessCommand
from tradewind_agent.errors import EnvironmentBroken
from tradewind_agent.kits import aiotime
from tradewind_agent.kits.backoff import Backoff
from tradewind_protocol.hosts import Configure, Hello, HostStatus, Problem, StopHost
from tradewind_protocol.polling import Finding
from tradewind_protocol.states import Component

log = structlog.get_logger(__name__)

HELLO_LIMIT = 90.0  # seconds: importing Airflow on a busy small machine, with a margin
HELLO_DOUBLINGS = 3  # of that limit: where many agents start at once, one that is always cut off at the same point is never ready
LIVED_LONG = 60.0  # a process that was ready for this long is started again without a wait
RESTART_FIRST, RESTART_MOST = 1.0, 60.0
STOP_GRACE = 10.0  # seconds a process has to end after it was told to stop now


class ProcessState(str, Enum):
    """Where in its life a process is."""

    STARTING = "starting"
    READY = "ready"
    BROKEN = "broken"  # ended or would not start; tried again after a wait
    STOPPED = "stopped"


class ComponentProcess:
    """Runs one component of one environment until stopped.

    `run` never raises for a process that fails: the failure becomes a finding and is tried again, with growing waits. A process has
    `hello_limit` seconds to report ready; after a start that took longer the next one has twice as long, up to eight times. The first
    one that is ready sets the limit back.
    """

    def __init__(
        self,
        *,
        component: Component,
        environment: str,
        command: ProcessCommand,
        configure: Callable[[str], Configure],  # from this process's own local secret
        launcher: Launcher,
        secrets: LocalSecrets,
        on_change: Callable[[], None],
        hello_limit: float = HELLO_LIMIT,
        stop_grace: float = STOP_GRACE,
    ) -> None:
        self.component = component
        self.environment = environment
        self.state = ProcessState.STARTING
        self.hello: Hello | None = None
        self.status: HostStatus | None = None
        self.problem: EnvironmentBroken | None = None
        self.restarts = 0
        self._command = command
        self._configure = configure
        self._launcher = launcher
        self._secrets = secrets
        self._on_change = on_change
        self._hello_limit = hello_limit
        self._stop_grace = stop_grace
        self._cut_off = 0  # starts, since a process was ready
        self._ready_at: float | None = None  # on the loop's clock, of the process that runs
        self._backoff = Backoff()
        self._stopping = asyncio.Event()
        self._process: ChildProcess | None = None

    @property
    def title(self) -> str:
        return self._command.title

    @property
    def ready(self) -> bool:
        return self.state is ProcessState.READY

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def findings(self) -> list[Finding]:
        """What is wrong with this process, and what it reports of its work."""
        found = list(self.status.findings) if self.status is not None else []
        if self.problem is not None:
            found.append(
                Finding(
                    check=f"host:{self.component.value}:{self.environment}"[:100],
                    message=self.problem.message[:2000],
                    remedy=self.problem.remedy[:2000],
                )
            )
        return found

    async def run(self) -> None:
        """Keep the process alive. Returns after `stop`, or when cancelled, with the process gone either way."""
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            self._ready_at = None
            try:
                await self._one_life()
            except EnvironmentBroken as problem:
                self._become(ProcessState.BROKEN, problem)
            if self._stopping.is_set():
                break
            self.restarts += 1
            if self._ready_at is not None and loop.time() - self._ready_at >= LIVED_LONG:
                self._backoff.after_success()
            wait = self._backoff.after_failure(first=RESTART_FIRST, most=RESTART_MOST)
            log.warning(
                "Process ended; starting it again",
                action="host_restarting",
                host=self.title,
                wait=round(wait, 1),
                problem=str(self.problem),
            )
            await aiotime.sleep(wait, self._stopping)
        self._become(ProcessState.STOPPED, None)

    async def stop(self) -> None:
        """Stop the process and what runs in it. Idempotent; returns once the request was sent, `run` returns once it is gone."""
        self._stopping.set()
        if self._process is not None:
            self._process.send(StopHost(now=True))

    # ---- for subclasses

    def received(self, message: Any) -> None:
        """A message of the process other than Hello, Problem and HostStatus."""

    async def gone(self, description: str) -> None:
        """The process is gone: settle what it carried. `description` says how it ended."""

    # ---- inside

    async def _one_life(self) -> None:
        self._become(ProcessState.STARTING, self.problem)
        process = await self._launcher.launch(self._command)
        # A worker process asks for nothing itself, and every attempt is forked from it: what it does not have, no user
        # code finds in the memory it inherits.
        needs_none = self.component is Component.WORKER
        secret = (
            "" if needs_none else self._secrets.issue(ComponentPrincipal(self.component, self.environment))
        )
        description = "the agent stopped it"
        self._process = process
        ending = asyncio.create_task(self._end_when_stopped(process), name=f"ending of {self.title}")
        try:
            process.send(self._configure(secret))
            await self._introduce(process)
            await self._listen(process)
            description = ended(await self._wait(process))
            if not self._stopping.is_set():
                raise EnvironmentBroken(
                    f"the {self.title} {description}", remedy=f"See its log: {self._command.log_file}"
                )
        finally:
            ending.cancel()
            self._process, self.hello, self.status = None, None, None
            self._secrets.revoke(secret)
            # Also when cancelled: nothing that this process started may outlive it.
            await asyncio.shield(self._settle(process, description))

    async def _settle(self, process: ChildProcess, description: str) -> None:
        await process.close()
        await self.gone(description)

    async def _introduce(self, process: ChildProcess) -> None:
        limit = self._hello_limit * 2.0 ** min(self._cut_off, HELLO_DOUBLINGS)
        try:
            first = await aiotime.within(process.receive(), limit)
        except asyncio.TimeoutError:
            self._cut_off += 1
            raise EnvironmentBroken(
                f"the {self.title} did not report ready within {limit:.0f} s ({self._command.argv[0]})",
                remedy=f"See its log: {self._command.log_file}",
            ) from None
        if isinstance(first, Problem):
            raise EnvironmentBroken(f"the {self.title}: {first.message}", remedy=first.remedy)
        if not isinstance(first, Hello):
            raise await self._why_silent(process)
        self.hello, self._cut_off = first, 0
        self._ready_at = asyncio.get_running_loop().time()
        log.info(
            "Process ready",
            action="host_ready",
            host=self.title,
            pid=first.pid,
            python=first.python,
            airflow=first.airflow,
        )
        self._become(ProcessState.READY, None)

    async def _why_silent(self, process: ChildProcess) -> EnvironmentBroken:
        how = ended(await self._wait(process))
        tail, interpreter = process.tail(), self._command.argv[0]
        last = tail.strip().splitlines()[-1] if tail.strip() else ""
        if "No module named" in tail and "tradewind_runtime" in tail:
            return EnvironmentBroken(
                f"{interpreter} has no tradewind-runtime",
                remedy=f"Install it there: {interpreter} -m pip install tradewind-runtime",
            )
        if "No module named" in tail and "airflow" in tail:
            return EnvironmentBroken(
                f"{interpreter} has no Airflow",
                remedy=f"Install it there: {interpreter} -m pip install apache-airflow",
            )
        return EnvironmentBroken(
            f"the {self.title} {how} before it was ready" + (f": {last[:500]}" if last else ""),
            remedy=f"See its log: {self._command.log_file}",
        )

    async def _listen(self, process: ChildProcess) -> None:
        while (message := await process.receive()) is not None:
            if isinstance(message, HostStatus):
                before = self.status.findings if self.status is not None else ()
                self.status = message
                if message.findings != before:
                    self._on_change()
            elif isinstance(message, Problem):
                raise EnvironmentBroken(f"the {self.title}: {message.message}", remedy=message.remedy)
            else:
                self.received(message)

    async def _wait(self, process: ChildProcess) -> int:
        """Its exit code; a process that closed its socket and lives on is killed."""
        try:
            return await aiotime.within(process.wait(), self._stop_grace)
        except asyncio.TimeoutError:
            process.signal(signal.SIGKILL)
            return await process.wait()

    async def _end_when_stopped(self, process: ChildProcess) -> None:
        await self._stopping.wait()
        process.send(StopHost(now=True))
        await asyncio.sleep(self._stop_grace)
        log.warning("Process did not stop; killing it", action="host_killed", host=self.title)
        process.signal(signal.SIGKILL)

    def _become(self, state: ProcessState, problem: EnvironmentBroken | None) -> None:
        self.state, self.problem = state, problem
        self._on_change()


def ended(code: int) -> str:
    """How a process ended, in words: "was killed by SIGKILL", "ended with exit code 3"."""
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"ended with exit code {code}"
