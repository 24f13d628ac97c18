"""The composition root: every part of the agent, in order of entry; the order of exit is the reverse."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil  # type: ignore[import-untyped]
import structlog

from tradewind_agent import traces
from tradewind_agent.access.local_secrets import LocalSecrets
from tradewind_agent.environments.launcher import Launcher, SubprocessLauncher
from tradewind_agent.environments.task_environments import TaskEnvironments
from tradewind_agent.errors import AgentError
from tradewind_agent.gateway import policy
from tradewind_agent.gateway.app import Gateway
from tradewind_agent.gateway.ledger import Cause, Ledger
from tradewind_agent.http import tls
from tradewind_agent.kits import aiotasks, aiotime, signals
from tradewind_agent.kits.serving import Serving
from tradewind_agent.loops.cleaning import Cleaning
from tradewind_agent.loops.polling import Polling
from tradewind_agent.loops.publishing import Publishing
from tradewind_agent.loops.reporting import Reporting
from tradewind_agent.monitoring import health, status
from tradewind_agent.monitoring.checks import Checks
from tradewind_agent.monitoring.masking import Masking
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.plane.credentials import AgentToken
from tradewind_agent.settings import Settings
from tradewind_agent.state import identity
from tradewind_agent.state.outbox import Outbox
from tradewind_agent.state.site_key import SiteKey, read_key
from tradewind_agent.traces.attempt import AttemptTrace
from tradewind_agent.work.commands import Commands
from tradewind_agent.work.draining import Draining
from tradewind_agent.work.log_streams import LogStreams
from tradewind_agent.work.running import Running
from tradewind_protocol import sessions
from tradewind_protocol.attempts import Offer
from tradewind_protocol.errors import Refused
from tradewind_protocol.sessions import OpenSession
from tradewind_protocol.states import Component

log = structlog.get_logger(__name__)

_DELIVERY_LIMIT = (
    15.0  # seconds for the last outcomes to reach the plane; what is left goes with the next start
)
_CLOSE_LIMIT = 5.0


class Agent:
    """One agent. `run` it once; `drain` says how it is asked to stop from inside a program."""

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        traces_transport: httpx.AsyncBaseTransport | None = None,
        launcher: Launcher | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._now = now
        self._launcher = launcher or SubprocessLauncher()
        self._rules = policy.of(settings)
        self._instance = uuid4()
        self._agent_id: UUID | None = None
        self._agent_key = ""
        self.secrets = LocalSecrets()
        self.board = status.StatusBoard(now=now)
        self.outbox = Outbox(settings.state_dir / "outbox.sqlite", now=now)
        self.ledger = Ledger(settings.state_dir / "ledger", now=now, plane=settings.plane_url)
        self.plane = PlaneClient(
            url=settings.plane_url,
            token=AgentToken(value=settings.token, file=settings.token_file),
            introduction=self._introduction,
            transport=transport,
            tls=tls.context(settings),
            proxy=settings.proxy.get_secret_value() if settings.proxy is not None else None,
        )
        self._collector = traces.from_settings(
            settings, resource=self._resource(), transport=traces_transport
        )
        self._no_health = ""
        self._changed: Callable[[], None] = lambda: None

    async def run(self) -> str:
        """Serve until asked to stop. Returns why, once every attempt is settled or handed back.

        Raises the AgentError that ended the agent: RefusedForGood, Fenced, StateDirectoryInUse, SettingsWrong.
        """
        async with AsyncExitStack() as stack:
            stack.enter_context(identity.hold(self.settings.state_dir))
            self._agent_id = identity.agent_id(self.settings.state_dir)
            self._agent_key = identity.agent_key(self.settings.state_dir)
            site_key = SiteKey(self._site_key())
            plane = await stack.enter_async_context(self.plane)  # closes last: all need it
            outbox = stack.enter_context(self.outbox)
            stack.enter_context(self.ledger)
            if self._collector is not None:
                self._collector.on_sent = self.ledger.traces
                await stack.enter_async_context(self._collector)
            stack.push_async_callback(self._close_session)  # the ledger has it too
            socket_path = stack.enter_context(_socket_place(self.settings.state_dir))
            self.environments = TaskEnvironments(
                settings=self.settings,
                launcher=self._launcher,
                secrets=self.secrets,
                session=lambda: plane.session,
                gateway=socket_path,
                inherited=os.environ,
                on_change=self._on_change,
                rules=self._rules,
                site_key=site_key,
            )
            self.running = Running(
                open_=site_key.open,
                plane=plane,
                environments=self.environments,
                outbox=outbox,
                secrets=self.secrets,
                now=self._now,
                on_change=self._on_change,
                trace=self._trace,
            )
            self.reporting = Reporting(outbox=outbox, plane=plane, on_delivered=self._on_delivered)
            stack.push_async_callback(
                self._last_delivery
            )  # after the hosts are gone and all has been recorded
            self.gateway = await stack.enter_async_context(
                Gateway(
                    socket_path,
                    plane,
                    self._rules,
                    self.ledger,
                    outbox,
                    self.secrets,
                    site_key=site_key,
                    traces=self._collector.relay if self._collector is not None else None,
                )
            )
            self.log_streams = LogStreams(
                plane=plane,
                directory=self.environments.log_directory,
                shown=self.settings.live_logs,
                noted=lambda what: self.ledger.because(Cause("log reader", "/logs/{stream_id}", what=what)),
            )
            stack.push_async_callback(self.log_streams.close)
            stack.push_async_callback(self.running.close)
            stack.push_async_callback(self.environments.stop)
            self.drain = Draining(
                running=self.running,
                outbox=outbox,
                reachable=lambda: plane.reachable,
                grace=self.settings.grace,
                on_change=self._on_change,
            )
            self.checks = Checks(
                state_dir=self.settings.state_dir,
                outbox=outbox,
                processes=self.environments.findings,
                ledger_problem=lambda: self.ledger.problem,
                health_problem=lambda: self._no_health,
                now=self._now,
                masking=Masking(self.settings, os.environ),
            )
            polling = Polling(
                plane=plane,
                running=self.running,
                environments=self.environments,
                commands=Commands(
                    running=self.running,
                    environments=self.environments,
                    draining=self.drain,
                    logs=self.log_streams,
                ),
                draining=self.drain,
                findings=self.checks,
                on_turn=lambda line: self.board.say("poll", line),
            )
            self.cleaning = Cleaning(
                settings=self.settings,
                plane=plane,
                log_directory=self.environments.log_directory,
                now=self._now,
            )
            self._changed = plane.reachability.on_doubt = polling.nudge
            self.board.gather(self._facts)
            await stack.enter_async_context(self._health())
            with signals.on_stop(self.drain.request, self.drain.now):
                await aiotasks.first_to_end(
                    {
                        "drain": self.drain.run(),
                        "polling": polling.run(),
                        "reporting": self.reporting.run(),
                        "hosts": self._processes(),
                        "cleaning": self.cleaning.run(),
                        "publishing": Publishing(board=self.board, directory=self.settings.state_dir).run(),
                    }
                )
            return self.drain.reason
        raise AssertionError("unreachable")

    # ---- parts that are too small for a file

    async def _processes(self) -> None:
        """Hosts start once there is a session: it decides their policy and which Airflow fits."""
        await self.plane.wait_session()
        session = self.plane.session
        if (
            session
            and self._rules.policy is sessions.Policy.OPEN
            and session.policy is sessions.Policy.STRICT
        ):
            log.warning(
                "The plane holds this site to the strict data boundary, although its settings open some of it",
                action="policy_is_strict",
                remedy="An administrator of the plane opens it for this site with `[tradewind] policy = strict,"
                f" {session.site}=open`; until then XCom, connections, variables, templates and source stay here",
            )
        self.environments.start()
        # They outlive this loop: while the agent ends they are stopped after the poll loop, and not cancelled with it.
        await asyncio.Event().wait()

    async def _last_delivery(self) -> None:
        with suppress(AgentError, Refused, asyncio.TimeoutError):
            if len(self.outbox) and self.plane.reachable:
                await aiotime.within(self.reporting.flush(), _DELIVERY_LIMIT)
        if len(self.outbox):
            log.warning(
                "Outcomes are kept for the next start", action="outbox_kept", entries=len(self.outbox)
            )

    async def _close_session(self) -> None:
        with suppress(AgentError, Refused, asyncio.TimeoutError):
            await aiotime.within(self.plane.close_session(), _CLOSE_LIMIT)

    @asynccontextmanager
    async def _health(self) -> AsyncIterator[None]:
        port = self.settings.metrics_port
        if port == 0:
            yield
            return
        try:
            listener = health.listen(self.settings.metrics_host, port)
        except OSError as error:
            # Not worth an agent: the work goes on, and a finding says that nobody can look.
            self._no_health = (
                f"no probes and no metrics: {self.settings.metrics_host}:{port} cannot be opened:"
                f" {error.strerror or error}"
            )
            log.warning(
                "No metrics: the port cannot be opened", action="metrics_off", port=port, error=str(error)
            )
            yield
            return
        async with Serving(health.Health(document=self.board.document), listener, name="health"):
            yield

    def _site_key(self) -> bytes:
        settings = self.settings
        return read_key(settings.state_dir, file=settings.site_key_file, storage=settings.storage)

    def _trace(self, offer: Offer, environment: str) -> AttemptTrace:
        record = self._collector.record if self._collector is not None else None
        return AttemptTrace(
            offer, environment=environment, agent=self.settings.name, record=record, now=self._now
        )

    def _resource(self) -> dict[str, Any]:
        return {
            "service.name": "tradewind-agent",
            "service.version": agent_version(),
            "service.instance.id": self.settings.name,
            "host.name": platform.node(),
        }

    def _on_change(self) -> None:
        self._changed()

    def _on_delivered(self, attempt_id: UUID) -> None:
        self.running.delivered(attempt_id)
        self._changed()

    def _introduction(self) -> OpenSession:
        assert self._agent_id is not None
        settings = self.settings
        return OpenSession(
            agent_id=self._agent_id,
            agent_key=self._agent_key,
            instance=self._instance,
            name=settings.name,
            components=settings.components,
            environments=self.environments.task_environments(),
            trigger_capacity=settings.trigger_capacity if Component.TRIGGERER in settings.components else 0,
            bundles=tuple(str(each["name"]) for each in settings.bundles if "name" in each),
            unreported=self.running.unreported(),
            policy=self._rules.policy,
            version=agent_version(),
            host=sessions.Host(
                hostname=platform.node(),
                platform=platform.platform(),
                cpus=os.cpu_count() or 0,
                memory_bytes=psutil.virtual_memory().total,
                pid=os.getpid(),
            ),
        )

    def _facts(self) -> dict[str, Any]:
        plane, used = self.plane, [each.environment for each in self.running.live]
        session = plane.session
        ready = plane.reachable and session is not None
        return {
            "agent": {
                "name": self.settings.name,
                "id": self._agent_id,
                "version": agent_version(),
                "pid": os.getpid(),
            },
            "plane": {
                "url": plane.url,
                "reachable": plane.reachable,
                "problem": plane.reachability.problem,
                "session": session.session_id if session is not None else None,
                "deployment": session.deployment if session is not None else None,
            },
            "not_ready": self._not_ready(ready),
            "draining": self.drain.reason if self.drain.requested else "",
            "cordoned": self.running.cordoned,
            "environments": [
                {**each.model_dump(mode="json"), "used": used.count(each.name)}
                for each in self.environments.task_environments()
            ],
            "hosts": [
                {
                    "component": each.component.value,
                    "environment": each.environment,
                    "state": each.state.value,
                    "pid": each.pid,
                    "restarts": each.restarts,
                    "problem": str(each.problem) if each.problem is not None else "",
                    "line": each.status.line if each.status is not None else "",
                    "numbers": each.status.numbers if each.status is not None else {},
                }
                for each in self.environments.processes
            ],
            "attempts": [
                {
                    "id": a.ref.attempt_id,
                    "work": a.offer.label,
                    "environment": a.environment,
                    "phase": a.phase.value,
                }
                for a in self.running.live
            ],
            "findings": [finding.model_dump() for finding in self.checks()],
            "metrics": {
                "plane_reachable": plane.reachable,
                "plane_answer_age_seconds": self._answer_age(),
                "attempts_live": len(used),
                "attempts_ended": [
                    {"process": process, "task_state": state, "count": count}
                    for (process, state), count in sorted(self.running.ended.items())
                ],
                **self._disk(),
                "outbox_entries": len(self.outbox),
                "outbox_oldest_seconds": max(0.0, self._now() - (self.outbox.oldest() or self._now())),
                "outbox_dropped": self.reporting.dropped,
                "draining": self.drain.requested,
                "cordoned": self.running.cordoned,
                "log_streams": self.log_streams.open,
                "traces_dropped": self._collector.dropped if self._collector is not None else None,
            },
        }

    def _disk(self) -> dict[str, int]:
        try:
            found = shutil.disk_usage(self.settings.state_dir)
        except OSError:  # a check of its own tells of it
            return {}
        return {"disk_free_bytes": found.free, "disk_size_bytes": found.total}

    def _answer_age(self) -> float | None:
        last = self.plane.last_success
        return None if last is None else asyncio.get_running_loop().time() - last

    def _not_ready(self, connected: bool) -> str:
        if not connected:
            return f"no plane: {self.plane.reachability.problem or 'no session yet'}"
        if self.drain.requested:
            return "draining"
        waiting = [process.title for process in self.environments.processes if not process.ready]
        return f"not ready: {', '.join(waiting)}" if waiting else ""


async def run(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    launcher: Launcher | None = None,
    now: Callable[[], float] = time.time,
) -> str:
    """Serve until asked to stop; see `Agent.run`."""
    return await Agent(settings, transport=transport, launcher=launcher, now=now).run()


def agent_version() -> str:
    """The version of this distribution; empty in a source tree that was never installed."""
    try:
        return version("tradewind-agent")
    except PackageNotFoundError:
        return ""


class _socket_place:
    """Where the gateway's socket goes: the state directory, or a private temporary one when that path is too long for
    the kernel."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "gateway.sock"
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Path:
        if len(os.fsencode(self._path)) > 100:
            self._temporary = tempfile.TemporaryDirectory(prefix="tradewind-")
            return Path(self._temporary.name) / "gateway.sock"
        return self._path

    def __exit__(self, *error: object) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()
