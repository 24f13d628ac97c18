"""Examinations as findings: the doctor's checks of the connection to the plane, and what each agent examines of its site."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any

import httpx

from tradewind_agent.doctor import certificates, connection, names, plane, proxies
from tradewind_agent.doctor.examined import Examination
from tradewind_agent.http import tls
from tradewind_agent.monitoring.masking import shortened_credentials
from tradewind_agent.plane.credentials import AgentToken
from tradewind_agent.settings import Settings
from tradewind_protocol import versions
from tradewind_protocol.checks import Result, Verdict
from tradewind_protocol.sentinel import SentinelFinding


async def of_the_plane(settings: Settings, token: AgentToken) -> list[Result]:
    """The doctor's checks of the connection to the plane, with the sentinel's token."""
    examination = Examination(settings, token=token)
    found = [result async for result in _connection(examination)]
    secret = settings.proxy.get_secret_value() if settings.proxy is not None else None
    async with httpx.AsyncClient(
        base_url=settings.plane_url,
        verify=examination.tls or tls.context(settings) or False,  # plain http has nothing to verify
        proxy=secret,
        timeout=httpx.Timeout(20.0, connect=10.0),
        headers={versions.HEADER: str(versions.PROTOCOL), "User-Agent": "tradewind-sentinel"},
    ) as examination.http:
        found += [result async for result in plane.check(examination)]
    return found


async def _connection(examination: Examination) -> AsyncIterator[Result]:
    for check in (proxies.check, names.check, connection.check, certificates.check):
        async for result in check(examination):
            yield result


class ExaminationFindings:
    """Turns results into findings, and remembers since when a check fails."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], datetime] = {}

    def of(
        self, place: str, subject: str, results: Iterable[Mapping[str, Any]], now: datetime
    ) -> list[SentinelFinding]:
        """Of documents as `Result.document` makes them; `place` is what is examined: "plane" or "site"."""
        found: list[SentinelFinding] = []
        failing: set[tuple[str, str]] = set()
        for one in results:
            if one.get("verdict") not in (Verdict.FAILED.value, Verdict.WARNING.value):
                continue
            key = (f"{place}:{one.get('check', '')}"[:100], subject)
            failing.add(key)
            found.append(
                SentinelFinding(
                    check=key[0],
                    subject=subject,
                    cause=shortened_credentials(str(one.get("evidence", ""))),
                    evidence=f"the check {one.get('check')} came out as {one.get('verdict')}",
                    remedy=str(one.get("remedy", "")),
                    since=self._since.setdefault(key, now),
                )
            )
        for key in [
            each
            for each in self._since
            if each[1] == subject and each[0].startswith(f"{place}:") and each not in failing
        ]:
            del self._since[key]
        return found
