"""What each agent says of itself on its own port, as findings: what the plane does not hear while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import httpx

from tradewind_agent.monitoring.masking import shortened_credentials
from tradewind_protocol.sentinel import SentinelFinding

_LIMIT: Final = 5.0
_AT_ONCE: Final = 10


class AgentHealth:
    """Asks agents by address."""

    def __init__(self, port: int, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._port = port
        self._http = httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            verify=False,  # plain http inside the namespace
            timeout=_LIMIT,
            limits=httpx.Limits(max_connections=_AT_ONCE),
        )
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._failing: dict[str, datetime] = {}  # agent → since when

    async def aclose(self) -> None:
        await self._http.aclose()

    async def document(self, address: str, path: str = "/status") -> Mapping[str, Any] | str:
        """The document at `path` of the agent there; a sentence when it does not answer."""
        where = f"[{address}]" if ":" in address else address
        async with self._turns:
            try:
                answer = await self._http.get(f"http://{where}:{self._port}{path}")
                found = answer.json()
            except (httpx.HTTPError, ValueError) as error:
                return str(error) or type(error).__name__
        return found if isinstance(found, dict) else "its answer is no status"

    def findings(self, name: str, answer: Mapping[str, Any] | str, now: datetime) -> list[SentinelFinding]:
        """From one agent's answer. Its own findings are passed on only while it cannot report them itself."""
        problem = ""
        if isinstance(answer, str):
            problem = answer
        elif answer.get("not_ready") and not answer.get("draining"):
            problem = str(answer["not_ready"])
        if not problem:
            self._failing.pop(name, None)
            return []
        since = self._failing.setdefault(name, now)
        if isinstance(answer, str):
            return [
                SentinelFinding(
                    check="health",
                    subject=name,
                    cause="the agent does not answer on its health port",
                    evidence=shortened_credentials(problem),
                    remedy="See metrics_host and metrics_port of the agent, and the NetworkPolicy: the sentinel has to reach them",
                    since=since,
                )
            ]
        found = [
            SentinelFinding(
                check="agent_not_ready",
                subject=name,
                cause="the agent takes no work",
                evidence=shortened_credentials(problem),
                remedy="`tradewind-agent doctor` in its container says what is missing",
                since=since,
            )
        ]
        if not answer.get("plane", {}).get("reachable"):
            found += [
                SentinelFinding(
                    check=f"agent:{str(one.get('check', ''))[:80]}",
                    subject=name,
                    cause=shortened_credentials(str(one.get("message", ""))),
                    remedy=str(one.get("remedy", "")),
                    since=since,
                )
                for one in answer.get("findings", [])
                if isinstance(one, dict)
            ]
        return found

    def forget(self, names: set[str]) -> None:
        """Keep only what is known of these agents."""
        self._failing = {name: since for name, since in self._failing.items() if name in names}


def cost_of(answer: Mapping[str, Any] | str) -> int | None:
    """How dear it is to end this agent: nothing, something, or much runs on it; None when it does not say."""
    if isinstance(answer, str):
        return None
    running = len(answer.get("attempts", ()))
    return 0 if running == 0 else 100 if running < 4 else 200
