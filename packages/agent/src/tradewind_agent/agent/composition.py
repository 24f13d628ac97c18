"""Every part of the agent, in order of entry; the order of exit is the reverse."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import structlog

from tradewind_agent import traces
from tradewind_agent.access.local_secrets import LocalSecrets
from tradewind_agent.agent import document, introduction
from tradewind_agent.agent.task_logs import TaskLogs
from tradewind_agent.environments import key_rings
from tradewind_agent.environments.launcher import Launcher, SubprocessLauncher
from tradewind_agent.environments.task_environments import TaskEnvironments
from tradewind_agent.errors import AgentError
from tradewind_agent.gateway import policy
from tradewind_agent.gateway.app import Gateway
from tradewind_agent.gateway.ledger import Ledger
from tradewind_agent.gateway.server import socket_place
from tradewind_agent.http import tls
from tradewind_agent.kits import aiotasks, aiotime, signals
from tradewind_agent.loops.cleaning import Cleaning
from tradewind_agent.loops.polling import Polling
from tradewind_agent.loops.publishing import Publishing
from tradewind_agent.loops.reporting import Reporting
from tradewind_agent.monitoring import health, status
from tradewind_agent.monitoring.checks import Checks
from tradewind_agent.monitoring.examinations import Examinations
from tradewind_agent.monitoring.masking import Masking
from tradewind_agent.monitoring.version import agent_version
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.plane.credentials import AgentToken
from tradewind_agent.rules import read_refusal
from tradewind_agent.settings import Settings
from tradewind_agent.state import identity, task_users
from tradewind_agent.state.outbox import Outbox
from tradewind_agent.state.owner_rules import RulesInForce
from tradewind_agent.state.ring_in_force import RingInForce
from tradewind_agent.state.sealing import SiteSealing
from tradewind_agent.state.site_key import SiteKey, read_key
from tradewind_agent.traces.attempt import AttemptTrace
from tradewind_agent.work.commands import Commands
from tradewind_agent.work.draining import DELIVERY_LIMIT, Draining
from tradewind_agent.work.permission import Permissions
from tradewind_agent.work.running import Running
from tradewind_protocol import sessions
from tradewind_protocol.attempts import Offer
from tradewind_protocol.errors import Refused

log = structlog.get_logger(__name__)

_CLOSE_LIMIT: Final = 5.0
"""Seconds for the plane to take the end of the session."""


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
        examine: Callable[[Settings], Awaitable[Sequence[Mapping[str, str]]]] | None = None,
    ) -> None:
        self.settings = settings
        self.now = now
        self._launcher = launcher or SubprocessLauncher()
        self.rules = policy.of(settings)
        self.owner_rules = RulesInForce(settings.rules, file=settings.rules_file, now=now)
        self.key_ring = RingInForce(
            settings.seal.keys_file,
            now=now,
            fetch=key_rings.fetching(settings),
            every=settings.seal.keys_every,
        )
        self.instance = uuid4()
        self.agent_id: UUID | None = None
        self.agent_key = ""
        self.secrets = LocalSecrets()
        self.masking = Masking(settings, os.environ)
        self.board = status.StatusBoard(now=now)
        self.outbox = Outbox(settings.state_dir / "outbox.sqlite", now=now)
        self.ledger = Ledger(settings.state_dir / "ledger", now=now, plane=settings.plane_url)
        self.plane = PlaneClient(
            url=settings.plane_url,
            token=AgentToken(value=settings.token, file=settings.token_file),
            introduction=lambda: introduction.of(self),
            transport=transport,
            tls=tls.context(settings),
            proxy=settings.proxy.get_secret_value() if settings.proxy is not None else None,
        )
        self.collector = traces.from_settings(settings, resource=self._resource(), transport=traces_transport)
        self.probes = health.Probes(
            settings.metrics_host,
            settings.metrics_port,
            document=self.board.document,
            examination=lambda: self.examinations.document(),
        )
        self.examinations = Examinations(
            (lambda: examine(settings)) if examine is not None else None, masked=self.masking.masked, now=now
        )
        self._changed: Callable[[], None] = lambda: None

    async def run(self) -> str:
        """Serve until asked to stop. Returns why, once every attempt is settled or declined.

        Raises the AgentError that ended the agent: RefusedForGood, Fenced, StateDirectoryInUse, SettingsWrong.
        """
        async with AsyncExitStack() as stack:
            enter, at_exit = stack.enter_async_context, stack.push_async_callback
            sealing = await self._hold_state(stack)
            plane = await enter(self.plane)  # closes last: all need it
            outbox = stack.enter_context(self.outbox)
            stack.enter_context(self.ledger)
            if self.collector is not None:
                self.collector.on_sent = self.ledger.traces
                await enter(self.collector)
            at_exit(self._close_session)  # the ledger has it too
            group = task_users.socket_group(self.settings)
            socket_path = stack.enter_context(socket_place(self.settings.state_dir, shared=group is not None))
            permissions = self._compose_permissions(sealing)
            self.environments = self._compose_environments(socket_path, sealing.key)
            self.running = self._compose_running(permissions, sealing)
            self.reporting = Reporting(outbox=outbox, plane=plane, on_delivered=self._on_delivered)
            at_exit(self._last_delivery)  # after the processes are gone and all has been recorded
            self.gateway = await enter(self._compose_gateway(socket_path, group, permissions, sealing))
            self.task_logs = await enter(
                TaskLogs(
                    settings=self.settings,
                    environments=self.environments,
                    plane=plane,
                    ledger=self.ledger,
                    rules=self.owner_rules,
                    now=self.now,
                )
            )
            at_exit(self.running.close)
            at_exit(self.environments.stop)
            self.drain = Draining(
                running=self.running,
                outbox=outbox,
                reachable=lambda: plane.reachable,
                grace=self.settings.grace,
                on_change=self._on_change,
            )
            self.checks = self._compose_checks()
            self.board.gather(lambda: document.facts(self))
            at_exit(self.examinations.close)
            await enter(self.probes)
            await self._serve()
            return self.drain.reason
        raise AssertionError("unreachable")

    async def _serve(self) -> None:
        """Run every loop until the drain has ended."""
        polling = self._compose_polling()
        self._changed = self.plane.reachability.on_doubt = polling.nudge
        cleaning = Cleaning(
            settings=self.settings,
            plane=self.plane,
            log_directory=self.environments.log_directory,
            now=self.now,
        )
        with signals.on_stop(self.drain.request, self.drain.now):
            await aiotasks.first_to_end(
                {
                    "drain": self.drain.run(),
                    "polling": polling.run(),
                    "reporting": self.reporting.run(),
                    "processes": self._processes(),
                    "cleaning": cleaning.run(),
                    "key ring": self.key_ring.run(),
                    "log uploading": self.task_logs.uploading.run(),
                    "publishing": Publishing(board=self.board, directory=self.settings.state_dir).run(),
                }
            )

    # ---- parts, as they are composed

    async def _hold_state(self, stack: AsyncExitStack) -> SiteSealing:
        """Take the state directory for this process, and read what it keeps: the agent's identity and the site's keys."""
        settings = self.settings
        task_users.prepare(settings)
        stack.enter_context(identity.hold(settings.state_dir))
        self.agent_id = identity.agent_id(settings.state_dir)
        self.agent_key = identity.agent_key(settings.state_dir)
        await self.key_ring.fetch_first()
        secret = read_key(settings.state_dir, file=settings.site_key_file, storage=settings.storage)
        site_key = SiteKey(secret, settings.sealed_for)
        return SiteSealing(site_key, self.key_ring, settings.seal, self.key_ring.missed, settings.sealed_for)

    def _compose_permissions(self, sealing: SiteSealing) -> Permissions:
        return Permissions(
            rules=self.owner_rules,
            now=self.now,
            note=self.ledger.work,
            open_=sealing.open,
            deployment=self._deployment,
        )

    def _compose_environments(self, gateway: Path, site_key: SiteKey) -> TaskEnvironments:
        return TaskEnvironments(
            settings=self.settings,
            launcher=self._launcher,
            secrets=self.secrets,
            session=lambda: self.plane.session,
            gateway=gateway,
            inherited=os.environ,
            on_change=self._on_change,
            rules=self.rules,
            site_key=site_key,
        )

    def _compose_running(self, permissions: Permissions, sealing: SiteSealing) -> Running:
        return Running(
            permissions=permissions,
            open_=sealing.open,
            plane=self.plane,
            environments=self.environments,
            outbox=self.outbox,
            secrets=self.secrets,
            now=self.now,
            on_change=self._on_change,
            trace=self._trace,
            on_log=lambda environment, path: self.task_logs.uploading.attempt_ended(environment, path),
        )

    def _compose_gateway(
        self, socket_path: Path, group: int | None, permissions: Permissions, sealing: SiteSealing
    ) -> Gateway:
        return Gateway(
            socket_path,
            self.plane,
            self.rules,
            self.ledger,
            self.outbox,
            self.secrets,
            sealing=sealing,
            now=self.now,
            socket_group=group,
            traces=self.collector.relay if self.collector is not None else None,
            judge_trigger=permissions.of_trigger,
            judge_read=lambda read, own: read_refusal(self.owner_rules(), read, own),
        )

    def _compose_checks(self) -> Checks:
        return Checks(
            state_dir=self.settings.state_dir,
            outbox=self.outbox,
            processes=lambda: [*self.environments.findings(), *self.task_logs.uploading.findings()],
            ledger_problem=lambda: self.ledger.problem,
            health_problem=lambda: self.probes.problem,
            rules_problem=self._rules_problem,
            keys_problem=self._keys_problem,
            now=self.now,
            masking=self.masking,
        )

    def _compose_polling(self) -> Polling:
        commands = Commands(
            running=self.running,
            environments=self.environments,
            draining=self.drain,
            logs=self.task_logs.streams,
            allowed=lambda verb: self.owner_rules().allows_command(verb),
            on_refused=lambda command: self.ledger.command(
                command.asked_by, command.verb.value, "the site's rule 'commands' does not name it"
            ),
        )
        return Polling(
            plane=self.plane,
            running=self.running,
            environments=self.environments,
            commands=commands,
            draining=self.drain,
            findings=self.checks,
            on_turn=lambda line: self.board.say("poll", line),
        )

    # ---- what parts call back

    async def _processes(self) -> None:
        """Start the processes of the task environments once there is a session, which decides their policy and which
        Airflow fits."""
        await self.plane.wait_session()
        session = self.plane.session
        if session and self.rules.policy is sessions.Policy.OPEN and session.policy is sessions.Policy.STRICT:
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
        """Send what the outbox holds while the plane answers; what is left stays on disk."""
        if len(self.outbox) and self.plane.reachable:
            with suppress(AgentError, Refused, asyncio.TimeoutError):  # the outbox tells below what is left
                await aiotime.within(self.reporting.flush(), DELIVERY_LIMIT)
        if len(self.outbox):
            log.warning(
                "Outcomes are kept for the next start", action="outbox_kept", entries=len(self.outbox)
            )

    async def _close_session(self) -> None:
        # A plane that does not hear of it finds the agent lost, as it does one that was killed.
        with suppress(AgentError, Refused, asyncio.TimeoutError):
            await aiotime.within(self.plane.close_session(), _CLOSE_LIMIT)

    def _deployment(self) -> str:
        """The Deployment that signatures of runs are for: by the site's own settings, else as its plane names itself."""
        session = self.plane.session
        return self.settings.deployment or (session.deployment if session is not None else "")

    def _rules_problem(self) -> str:
        self.owner_rules()  # which looks at the file, also while there is nothing else to ask it for
        return self.owner_rules.problem

    def _keys_problem(self) -> str:
        self.key_ring()  # which looks at the file
        return self.key_ring.problem

    def _trace(self, offer: Offer, environment: str) -> AttemptTrace:
        record = self.collector.record if self.collector is not None else None
        return AttemptTrace(
            offer, environment=environment, agent=self.settings.name, record=record, now=self.now
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


async def run(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    launcher: Launcher | None = None,
    now: Callable[[], float] = time.time,
    examine: Callable[[Settings], Awaitable[Sequence[Mapping[str, str]]]] | None = None,
) -> str:
    """Serve until asked to stop; see `Agent.run`. `examine` looks at the task environments, for /examination."""
    return await Agent(settings, transport=transport, launcher=launcher, now=now, examine=examine).run()
