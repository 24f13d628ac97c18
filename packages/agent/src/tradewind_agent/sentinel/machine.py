"""Agents of one machine: their systemd units, and what each agent leaves in its state directory."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from tradewind_agent.kits import aiotime
from tradewind_agent.monitoring import status
from tradewind_agent.sentinel.objects import moment
from tradewind_agent.sentinel.problems.containers import EXIT_STATUS
from tradewind_protocol.sentinel import SentinelFinding, WatchedAgent

PROPERTIES: Final = (
    "Id,LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus,NRestarts,StateChangeTimestamp,"
    "InactiveEnterTimestamp,ActiveEnterTimestamp,UnitFileState"
)
STALE: Final = timedelta(seconds=90)
_SYSTEMCTL_LIMIT: Final = 10.0

_RESULTS: Final[dict[str, tuple[str, str, str]]] = {
    "oom-kill": (
        "out_of_memory",
        "the kernel killed the agent's unit because memory ran out",
        "Raise MemoryMax= of the unit or lower slots; OOMPolicy=continue keeps the agent when a task is killed",
    ),
    "start-limit-hit": (
        "crash_loop",
        "systemd has given the unit up: it ended too often",
        "Correct the cause (journalctl -u UNIT), then: systemctl reset-failed UNIT && systemctl start UNIT",
    ),
    "timeout": (
        "ending",
        "the unit did not end or start in its time, and was killed",
        "Make TimeoutStopSec= longer than the agent's grace",
    ),
    "resources": (
        "unit_resources",
        "systemd could not give the unit what it asks for",
        "Look at the unit's log: journalctl -u UNIT",
    ),
}


def units_of(text: str) -> list[dict[str, str]]:
    """The units of `systemctl show`: blocks of NAME=VALUE with an empty line between."""
    return [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in text.strip().split("\n\n")
        if block.strip()
    ]


def unit_findings(unit: Mapping[str, str], now: datetime) -> list[SentinelFinding]:
    """What is wrong with one unit."""
    name, active = unit.get("Id", ""), unit.get("ActiveState", "")
    since = _systemd_moment(unit.get("StateChangeTimestamp", "")) or now
    restarts = int(unit.get("NRestarts") or 0)
    code = int(unit.get("ExecMainStatus") or 0)
    result = unit.get("Result", "success")
    looping = active == "activating" and unit.get("SubState") == "auto-restart"
    if unit.get("LoadState") == "not-found" or not (active == "failed" or looping):
        return []
    if result in _RESULTS:
        check, cause, remedy = _RESULTS[result]
    elif code in EXIT_STATUS and result == "exit-code":
        check, (cause, remedy) = "crash_loop", EXIT_STATUS[code]
    else:
        check, cause, remedy = (
            "crash_loop" if looping else "stopped",
            "the agent ends again and again" if looping else "the agent's unit has failed",
            "Read its log: journalctl -u UNIT",
        )
    return [
        SentinelFinding(
            check=check,
            subject=name,
            cause=cause,
            evidence=f"{active} ({unit.get('SubState')}), result {result}, exit status {code}, {restarts} restarts",
            remedy=remedy.replace("UNIT", name),
            since=since,
            count=max(1, restarts),
        )
    ]


def unit_watched(unit: Mapping[str, str]) -> WatchedAgent:
    active = unit.get("ActiveState", "")
    return WatchedAgent(
        name=unit.get("Id", ""),
        state={
            "active": "running",
            "activating": "pending",
            "deactivating": "ending",
            "inactive": "ended",
        }.get(active, active),
        ready=active == "active",
        restarts=int(unit.get("NRestarts") or 0),
        since=_systemd_moment(unit.get("StateChangeTimestamp", "")),
    )


def state_findings(
    directory: Path, document: Mapping[str, Any] | None, *, alive: bool, now: datetime
) -> Iterator[SentinelFinding]:
    """What an agent's status document says: `document` is None when there is none."""
    name = str((document or {}).get("agent", {}).get("name") or directory.name)
    at = moment((document or {}).get("at"))
    if document is None:
        yield SentinelFinding(
            check="never_started",
            subject=name,
            cause="no agent has run from its state directory",
            evidence=str(directory),
            remedy="Start the agent, or remove the directory from state_dirs",
            since=now,
        )
    elif not alive:
        yield SentinelFinding(
            check="stopped",
            subject=name,
            cause="the agent's process is gone",
            evidence=f"process {document.get('agent', {}).get('pid')} does not run",
            remedy="Start it, and read the end of its log",
            since=at or now,
        )
    elif at is not None and now - at > STALE:
        yield SentinelFinding(
            check="stuck",
            subject=name,
            cause="the agent's process runs and does nothing",
            evidence=f"its status is {int((now - at).total_seconds())} s old",
            remedy="Is it stopped (SIGSTOP), or is the machine short of processors or disk? Restart it",
            since=at,
        )


class Machine:
    """Looks at the units and state directories. `systemctl`: the command, which tests replace by one that prints."""

    def __init__(
        self, *, units: Sequence[str], state_dirs: Sequence[Path], systemctl: str = "systemctl"
    ) -> None:
        self._units = units
        self._state_dirs = state_dirs
        self._systemctl = systemctl

    async def look(self, now: datetime) -> tuple[list[WatchedAgent], list[SentinelFinding]]:
        agents: list[WatchedAgent] = []
        findings: list[SentinelFinding] = []
        try:
            for unit in await self._shown():
                if unit.get("LoadState") != "not-found":
                    agents.append(unit_watched(unit))
                    findings += unit_findings(unit, now)
        except (OSError, asyncio.TimeoutError) as error:
            findings.append(
                SentinelFinding(
                    check="permission",
                    subject="systemd",
                    cause="the state of the units cannot be read",
                    evidence=str(error) or "systemctl does not answer",
                    remedy="Run the sentinel as a user who may call systemctl, or set units to nothing",
                    since=now,
                )
            )
        for directory in self._state_dirs:
            document = status.read(directory)
            alive = document is not None and status.alive(document)
            findings += state_findings(directory, document, alive=alive, now=now)
            if document is not None:
                agents.append(_of_document(document, alive=alive))
        return agents, findings

    def documents(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Name and status document of each agent that runs from one of the directories."""
        found = [status.read(directory) for directory in self._state_dirs]
        return [(str(one["agent"]["name"]), one) for one in found if one is not None and status.alive(one)]

    async def _shown(self) -> list[dict[str, str]]:
        if not self._units or shutil.which(self._systemctl) is None:
            return []
        process = await asyncio.create_subprocess_exec(
            self._systemctl,
            "show",
            "--all",
            f"--property={PROPERTIES}",
            *self._units,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        try:
            out, err = await aiotime.within(process.communicate(), _SYSTEMCTL_LIMIT)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise OSError(
                err.decode(errors="replace").strip() or f"systemctl ended with {process.returncode}"
            )
        return units_of(out.decode(errors="replace"))


def _of_document(document: Mapping[str, Any], *, alive: bool) -> WatchedAgent:
    return WatchedAgent(
        name=str(document["agent"]["name"]),
        state="running" if alive else "failed",
        ready=alive and not document.get("not_ready"),
    )


def _systemd_moment(text: str) -> datetime | None:
    """`Sat 2026-11-28 23:55:47 UTC`, as systemctl prints it for TZ=UTC."""
    parts = text.split()
    if len(parts) < 3:
        return None
    try:
        return datetime.fromisoformat(f"{parts[1]}T{parts[2]}").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
