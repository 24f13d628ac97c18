"""The sentinel's process: look, evaluate, report, and answer on a port of its own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timezone
from uuid import uuid4

import httpx
import structlog

from tradewind_agent.errors import AgentError, PlaneUnreachable
from tradewind_agent.http import tls
from tradewind_agent.http.responses import is_success, refusal_in
from tradewind_agent.kits import aiotasks, aiotime, signals
from tradewind_agent.monitoring.version import agent_version
from tradewind_agent.plane.credentials import AgentToken
from tradewind_agent.plane.exchange import Exchange
from tradewind_agent.sentinel import canaries, examinations, kubernetes
from tradewind_agent.sentinel.agents import AgentHealth
from tradewind_agent.sentinel.kubernetes import KubernetesApi
from tradewind_agent.sentinel.machine import Machine
from tradewind_agent.sentinel.pods import Pods
from tradewind_agent.sentinel.port import Port, SentinelState
from tradewind_agent.sentinel.rules import Rules
from tradewind_agent.sentinel.settings import SentinelSettings
from tradewind_agent.settings import Settings
from tradewind_protocol import sentinel as wire
from tradewind_protocol.ids import TokenKind
from tradewind_protocol.sentinel import (
    ReportTaken,
    SentinelFinding,
    SentinelReport,
    WatchedAgent,
    WatchedGroup,
)
from tradewind_protocol.sessions import Policy

log = structlog.get_logger(__name__)


class Sentinel:
    """One sentinel. `run` it once. `transport` and `api` take the place of the network, for tests."""

    def __init__(
        self,
        settings: SentinelSettings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        agents_transport: httpx.AsyncBaseTransport | None = None,
        api: KubernetesApi | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._now = now
        self._instance = uuid4()
        self._token = AgentToken(value=settings.token, file=settings.token_file, kind=TokenKind.SENTINEL)
        self._as_agent = _as_agent(settings)
        self._exchange = Exchange(
            settings.plane_url.rstrip("/"),
            transport=transport,
            tls=tls.context(self._as_agent),
            proxy=settings.proxy.get_secret_value() if settings.proxy is not None else None,
            timeout=20.0,
        )
        self._health = AgentHealth(settings.agent_port, transport=agents_transport)
        self._rules = Rules(strict=settings.policy is Policy.STRICT)
        self._api = api
        self._pods: Pods | None = None
        self._machine = Machine(units=settings.units, state_dirs=settings.state_dirs)
        self._examined: list[SentinelFinding] = []
        self._examinations = examinations.ExaminationFindings()
        self._stop = asyncio.Event()
        self._soon = asyncio.Event()
        self.state = SentinelState()

    async def run(self) -> str:
        """Watch and report until asked to stop. Returns the signal's name. Raises SettingsWrong."""
        self._token.read()  # a wrong one is said at the start
        stopped = "stopped"

        def stop(name: str) -> None:
            nonlocal stopped
            stopped = name
            self._stop.set()

        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._exchange.aclose)
            stack.push_async_callback(self._health.aclose)
            if self.settings.watches_kubernetes:
                await self._watch(stack)
            port = Port(self.settings.host, self.settings.port, state=self.state, backlog=self._backlog)
            await stack.enter_async_context(port)
            with signals.on_stop(stop, stop):
                await aiotasks.first_to_end(
                    {"stop": self._stop.wait(), "report": self._reports(), "examine": self._examines()}
                )
        return stopped

    async def _watch(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        api = self._api or kubernetes.api(
            server=settings.kubernetes_server,
            namespace=settings.namespace,
            token_file=settings.kubernetes_token_file,
            ca_file=settings.kubernetes_ca_file,
        )
        self._pods = await stack.enter_async_context(
            Pods(settings, api=api, rules=self._rules, health=self._health, since=self.state.since)
        )

    # ---- look

    async def evaluate(self) -> SentinelReport:
        """How things are now."""
        now = datetime.fromtimestamp(self._now(), timezone.utc)
        if self._pods is not None:
            agents, findings = await self._pods.look(now)
        else:
            agents, findings = await self._machine.look(now)
            for name, document in self._machine.documents():
                findings += self._health.findings(name, document, now)
        return SentinelReport(
            instance=self._instance,
            name=self.settings.name,
            version=agent_version(),
            platform="kubernetes" if self._pods is not None else "machine",
            scope=self._pods.namespace if self._pods is not None else "",
            agents=tuple(sorted(agents, key=lambda one: one.name)[:2000]),
            groups=tuple(self._groups(agents)),
            findings=tuple(
                [
                    *findings,
                    *self._groups_gone(agents, now),
                    *self._examined,
                    *canaries.findings(self.state.canaries, self.state.since),
                ][:500]
            ),
        )

    def _groups(self, agents: Sequence[WatchedAgent]) -> list[WatchedGroup]:
        named = {one.group or one.name: one for one in self.settings.workloads}
        names = sorted(set(named) | {one.group for one in agents if one.group})
        return [
            WatchedGroup(
                name=name,
                queues=named[name].queues if name in named else (),
                least=named[name].least if name in named else None,
                most=named[name].most if name in named else None,
                present=sum(one.group == name for one in agents),
                ready=sum(one.group == name and one.ready for one in agents),
            )
            for name in names
        ]

    def _groups_gone(self, agents: Sequence[WatchedAgent], now: datetime) -> list[SentinelFinding]:
        if self._pods is None or not self._pods.listed:
            return []
        return [
            SentinelFinding(
                check="no_agents",
                subject=one.name,
                cause=f"this worker has no pod, and should have {one.least} or more",
                evidence=f"0 pods with the label of {one.name}",
                remedy="See whether its Deployment was scaled to zero or deleted, and the events of its ReplicaSet",
                since=self.state.since(("no_agents", one.name), now),
            )
            for one in self._groups(agents)
            if one.least and not one.present
        ]

    # ---- report

    async def _reports(self) -> None:
        every = ReportTaken().every  # until the plane has said
        while True:
            begun = asyncio.get_running_loop().time()
            report = await self.evaluate()
            self.state.evaluated(report, self._now())
            try:
                taken = await self._send(report)
                every = taken.every
                self.state.sent(taken, self._now())
            except AgentError as error:
                self.state.failed(str(error))
                log.warning(
                    "The report did not reach the plane", action="sentinel_report_failed", error=str(error)
                )
                self._soon.set()  # an examination says where the connection breaks off
            left = max(5.0, min(every, 600.0)) - (asyncio.get_running_loop().time() - begun)
            await asyncio.sleep(max(1.0, left))

    async def _send(self, report: SentinelReport) -> ReportTaken:
        """Raises PlaneUnreachable with the plane's sentence when it refuses."""
        body = report.model_dump_json().encode()
        answer = await self._exchange.ask(
            "POST", wire.REPORT, {"content-type": "application/json"}, body, bearer=self._token.read()
        )
        if not is_success(answer):
            refused = refusal_in(answer)
            sentence = str(refused) if refused is not None else f"the plane answered {answer.status_code}"
            raise PlaneUnreachable(sentence)
        log.info(
            "The sentinel has reported",
            action="sentinel_reported",
            bytes=len(body),
            agents=len(report.agents),
            findings=len(report.findings),
        )
        return ReportTaken.model_validate_json(answer.content)

    async def _backlog(self, query: str) -> tuple[int, bytes]:
        """The plane's answer to a scaler inside the cluster, which has no token, no authority and no proxy."""
        try:
            answer = await self._exchange.ask("GET", f"/backlog?{query}", {}, b"", bearer=self._token.read())
        except AgentError as error:
            return 503, json.dumps({"error": "unavailable", "message": str(error)}).encode()
        return answer.status_code, answer.content

    # ---- examine

    async def _examines(self) -> None:
        while True:
            self._soon.clear()
            self._examined = await self._examine()
            asked = await aiotime.sleep(self.settings.probe_every, self._soon)
            if asked:
                await asyncio.sleep(10.0)  # at most one for each report that failed

    async def _examine(self) -> list[SentinelFinding]:
        now = datetime.fromtimestamp(self._now(), timezone.utc)
        results = await examinations.of_the_plane(self._as_agent, self._token)
        found = self._examinations.of("plane", "sentinel", [one.document() for one in results], now)
        groups = self._pods.one_of_each_group() if self._pods is not None else {}
        for group, address in groups.items():
            answer = await self._health.document(address, "/examination")
            if not isinstance(answer, str):
                found += self._examinations.of("site", group, answer.get("results", []), now)
        return found


async def run(settings: SentinelSettings) -> str:
    """Watch and report until SIGTERM; see `Sentinel.run`."""
    return await Sentinel(settings).run()


def _as_agent(settings: SentinelSettings) -> Settings:
    """The settings that the doctor's checks of the way to the plane read."""
    return Settings(
        plane_url=settings.plane_url,
        token=settings.token,
        token_file=settings.token_file,
        name=settings.name,
        ca_file=settings.ca_file,
        client_cert=settings.client_cert,
        client_key=settings.client_key,
        proxy=settings.proxy,
    )
