"""All checks in order, and how their results are shown."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import httpx

from tradewind_agent.doctor import (
    certificates,
    connection,
    disk,
    environments,
    idle,
    mtu,
    names,
    outbox,
    plane,
    ports,
    proxies,
    route,
    rules,
    running,
    seal,
    users,
)
from tradewind_agent.doctor.examined import BackendReads, Examination
from tradewind_agent.monitoring import status
from tradewind_agent.settings import Settings
from tradewind_protocol import versions
from tradewind_protocol.checks import Result, Verdict, failed, ok, warning

_MARKS = {Verdict.OK: "ok", Verdict.WARNING: "warn", Verdict.FAILED: "FAIL", Verdict.SKIPPED: "-"}


async def examine(
    settings: Settings,
    *,
    expect_private: bool = False,
    public_resolver: str = "",
    long: float = 0.0,
    read: BackendReads | None = None,
) -> AsyncIterator[Result]:
    """Every result, as it comes: first the way to the plane, then this machine."""
    examination = Examination(
        settings,
        expect_private=expect_private,
        public_resolver=public_resolver,
        long=long,
        read=read or BackendReads(),
    )
    document = status.read(settings.state_dir)
    examination.running = document is not None and status.alive(document)
    warnings = settings.warnings()
    if warnings:
        yield warning("settings", "; ".join(warnings), "Change them")
    else:
        where = settings.state_dir
        yield ok("settings", f"agent {settings.name!r}, state in {where}" + _running(examination))
    for check in (proxies.check, names.check, route.check, connection.check, certificates.check):
        async for result in check(examination):
            yield result
    secret = settings.proxy.get_secret_value() if settings.proxy is not None else None
    async with httpx.AsyncClient(
        base_url=settings.plane_url,
        verify=examination.tls if examination.tls is not None else True,
        proxy=secret,
        timeout=httpx.Timeout(20.0, connect=10.0),
        headers={versions.HEADER: str(versions.PROTOCOL), "User-Agent": "tradewind-agent-doctor"},
    ) as examination.http:
        async for result in route.at_the_root(examination):
            yield result
        async for result in plane.check(examination):
            yield result
    for check in (idle.check, mtu.check):
        async for result in check(examination):
            yield result
    for check in (
        disk.check,
        users.check,
        rules.check,
        seal.check,
        environments.check,
        outbox.check,
        ports.check,
        running.check,
    ):
        async for result in check(examination):
            yield result


def unreadable(message: str, remedy: str) -> Result:
    """When the settings themselves cannot be used, there is nothing else to examine."""
    return failed("settings", message, remedy or "Correct the setting")


def line(result: Result) -> str:
    """One result as a person reads it."""
    text = f"{_MARKS[result.verdict]:<4}  {result.check:<22}  {result.evidence}"
    if result.remedy and result.verdict is not Verdict.OK:
        text += f"\n→ {result.remedy}"
    return text.replace("\n", f"\n{'':<30}")  # what Git or Python said in several lines stays in its column


def document(results: Sequence[Result]) -> str:
    """All of them as JSON: `{"verdict": …, "checks": […]}`."""
    return json.dumps(
        {"verdict": overall(results).value, "checks": [each.document() for each in results]}, indent=1
    )


def overall(results: Sequence[Result]) -> Verdict:
    """The worst of them."""
    found = {each.verdict for each in results}
    return next((each for each in (Verdict.FAILED, Verdict.WARNING) if each in found), Verdict.OK)


def _running(examination: Examination) -> str:
    return "; it runs now" if examination.running else ""
