"""The cleaning loop: finds what is stored at the site of runs that need it no more, and removes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from tradewind_agent.environments import storage as storages
from tradewind_agent.errors import AgentError, Fenced, RefusedForGood
from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_agent.state import storage_requests
from tradewind_agent.work import stored_logs
from tradewind_agent.work.retention import Limits, Removal, Stored, removals
from tradewind_protocol.errors import Refused
from tradewind_protocol.stored_runs import AT_ONCE, AskRuns, RunFate, RunFates, RunFolder

log = structlog.get_logger(__name__)

EVERY: Final = 3600.0
FIRST: Final = 600.0
LOOKS: Final = 2.0
"""Seconds between two looks for a request."""


class Plane(Protocol):
    """What is asked of the plane."""

    async def fates(self, ask: AskRuns) -> RunFates: ...


@dataclass
class StorageListing:
    """What is stored, where, and what could not be looked at."""

    stored: list[Stored] = field(default_factory=list)
    environments: dict[tuple[str, str], EnvironmentSettings] = field(default_factory=dict)  # by kind and base
    problems: list[str] = field(default_factory=list)


class Cleaning:
    """Cleans once an hour, and when `request` was called from another process; leaves a report of each time."""

    def __init__(
        self,
        *,
        settings: Settings,
        plane: Plane,
        log_directory: Path,
        now: Callable[[], float],
        first: float = FIRST,
        every: float = EVERY,
        looks: float = LOOKS,
    ) -> None:
        self._settings = settings
        self._plane = plane
        self._log_directory = log_directory
        self._now = now
        self._first, self._every, self._looks = first, every, looks

    async def run(self) -> None:
        """Never returns; what fails is logged and tried again an hour later."""
        loop = asyncio.get_running_loop()
        next_time = loop.time() + self._first
        # made before this agent started: the command that made it waits no more
        storage_requests.take_request(self._settings.state_dir)
        while True:
            await asyncio.sleep(self._looks)
            asked = storage_requests.take_request(self._settings.state_dir)
            if asked is not None or (self._settings.clean and loop.time() >= next_time):
                await self._one(asked or {"clean": True})
                next_time = loop.time() + self._every

    async def _one(self, asked: Mapping[str, Any]) -> None:
        try:
            report = await self.clean(dry=not asked.get("clean"), unknown=bool(asked.get("unknown")))
        except (RefusedForGood, Fenced):
            raise
        except (AgentError, Refused, OSError) as error:
            log.warning("Storage not cleaned", action="storage_not_cleaned", error=str(error))
            report = {"problems": [str(error)]}
        except Exception as error:  # a defect in here must not end the agent
            log.exception("Storage not cleaned", action="storage_not_cleaned")
            report = {"problems": [f"{type(error).__name__}: {error}"]}
        try:
            storage_requests.leave_report(
                self._settings.state_dir, {**report, "request": asked.get("id", "")}
            )
        except OSError as error:
            log.warning("Storage report not written", action="storage_not_cleaned", error=str(error))

    async def clean(self, *, dry: bool, unknown: bool = False) -> dict[str, Any]:
        """Look, ask the plane, remove unless `dry`; the report. Raises what the plane raises: then nothing is removed."""
        found = await self._found()
        limits = Limits(
            values_days=self._settings.keep_values_days,
            logs_days=self._settings.keep_logs_days,
            most_bytes=self._settings.keep_bytes,
            unknown=unknown,
        )
        fates = await self._fates(found.stored)
        planned = removals(found.stored, fates, limits, now=self._now())
        done = await self._removed(found, planned, dry=dry)
        files, size = sum(one.files for one in done), sum(one.bytes for one in done)
        if files and not dry:
            log.info("Storage cleaned", action="storage_cleaned", files=files, bytes=size)
        for problem in found.problems:
            log.warning("Storage not read", action="storage_not_cleaned", error=problem)
        return {
            "at": datetime.fromtimestamp(self._now(), timezone.utc).isoformat(timespec="seconds"),
            "dry": dry,
            "removed": {"files": files, "bytes": size},
            "removals": [
                {"kind": each.stored.kind, "dag": each.stored.dag, "run": each.stored.run, "why": each.why}
                | {"files": one.files, "bytes": one.bytes}
                for each, one in _together(planned, done)
            ],
            "stored": _rows(found.stored, fates, planned, done),
            "problems": found.problems,
        }

    async def _found(self) -> StorageListing:
        found = StorageListing(stored=await asyncio.to_thread(stored_logs.listed, self._log_directory))
        for environment in self._settings.task_environments:
            try:
                listed = await storages.listed(self._settings, environment)
            except (AgentError, OSError) as error:
                found.problems.append(str(error))
                continue
            mine = {(one["kind"], one["base"]) for one in listed} - set(found.environments)
            found.environments |= dict.fromkeys(mine, environment)  # environments may share a storage
            found.stored += [Stored(**one) for one in listed if (one["kind"], one["base"]) in mine]
        return found

    async def _fates(self, stored: Iterable[Stored]) -> dict[tuple[str, str], RunFate]:
        runs = sorted({(one.dag, one.run) for one in stored if one.dag})
        found: dict[tuple[str, str], RunFate] = {}
        for start in range(0, len(runs), AT_ONCE):
            part = tuple(RunFolder(dag=dag, run=run) for dag, run in runs[start : start + AT_ONCE])
            answer = await self._plane.fates(AskRuns(runs=part))
            found |= {(one.dag, one.run): one for one in answer.runs}
        return found

    async def _removed(self, found: StorageListing, planned: Sequence[Removal], *, dry: bool) -> list[Stored]:
        of_logs = [one for one in planned if one.stored.kind == "log"]
        done = await asyncio.to_thread(stored_logs.removed, self._log_directory, of_logs, dry=dry)
        for place, environment in found.environments.items():
            orders = [
                {"kind": one.stored.kind, "base": one.stored.base, "dag": one.stored.dag}
                | {"run": one.stored.run, "before": one.before, "keep": sorted(one.keep), "dry": dry}
                for one in planned
                if (one.stored.kind, one.stored.base) == place
            ]
            if not orders:
                continue
            try:
                done += [Stored(**one) for one in await storages.removed(self._settings, environment, orders)]
            except (AgentError, OSError) as error:
                found.problems.append(str(error))
        return done


def _key(one: Stored) -> tuple[str, str, str, str]:
    return one.kind, one.base, one.dag, one.run


def _together(planned: Iterable[Removal], done: Iterable[Stored]) -> list[tuple[Removal, Stored]]:
    by_key = {_key(one): one for one in done}
    return [(each, by_key[_key(each.stored)]) for each in planned if _key(each.stored) in by_key]


def _rows(
    stored: Iterable[Stored],
    fates: Mapping[tuple[str, str], RunFate],
    planned: Iterable[Removal],
    done: Iterable[Stored],
) -> list[dict[str, Any]]:
    """By kind, place and Dag: what there was, and how much of it was or would be removed."""
    gone = {_key(each.stored): one for each, one in _together(planned, done)}
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in stored:
        row = rows.setdefault(
            (one.kind, one.base, one.dag),
            {"kind": one.kind, "base": one.base, "dag": one.dag}
            | {"runs": 0, "live": 0, "files": 0, "bytes": 0, "oldest": one.oldest}
            | {"removable_files": 0, "removable_bytes": 0},
        )
        fate = fates.get((one.dag, one.run))
        row["runs"] += bool(one.dag)
        row["live"] += fate is not None and fate.fate.value == "live"
        row["files"] += one.files
        row["bytes"] += one.bytes
        row["oldest"] = min(row["oldest"], one.oldest)
        if (removed := gone.get(_key(one))) is not None:
            row["removable_files"] += removed.files
            row["removable_bytes"] += removed.bytes
    return sorted(rows.values(), key=lambda row: -row["bytes"])
