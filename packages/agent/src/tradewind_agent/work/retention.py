"""What of a site's stored values and logs may be removed, and why. Pure rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tradewind_protocol.stored_runs import Fate, RunFate

DAY: Final = 86400.0

SETTLED: Final = 3600.0
"""Seconds. What was written later than this ago stays, whatever the plane says: its reference may be on its way there."""

ORPHANED: Final = DAY
"""Seconds after its last write before what is stored of a run that the plane no longer has is removed."""


@dataclass(frozen=True)
class Stored:
    """What is stored of one run, of one kind."""

    kind: str  # "xcom", "state" or "log"
    base: str  # where: URL of a storage, or a folder
    dag: str  # segments, as `tradewind_protocol.storage.segment` makes them; empty: of no run
    run: str
    files: int
    bytes: int
    oldest: float  # seconds since 1970
    newest: float


@dataclass(frozen=True)
class Limits:
    """What the agent's settings say. 0: no limit."""

    values_days: float = 0.0  # after the end of the run
    logs_days: float = 0.0
    most_bytes: int = 0
    unknown: bool = False  # also what is of Dags that the plane does not know; only ever at a person's wish

    def days(self, kind: str) -> float:
        return self.logs_days if kind == "log" else self.values_days


@dataclass(frozen=True)
class Removal:
    """Remove what is stored of one run, written at `before` or earlier, but for files named in `keep`."""

    stored: Stored
    why: str
    before: float
    keep: frozenset[str] = field(default=frozenset())


def removals(
    stored: Iterable[Stored], fates: Mapping[tuple[str, str], RunFate], limits: Limits, *, now: float
) -> list[Removal]:
    """What may go. Nothing of a run that has not ended, of a run whose fate is not known, or of no run at all."""
    found: list[Removal] = []
    ended: list[tuple[float, Stored]] = []
    kept = 0
    for one in stored:
        kept += one.bytes
        fate = fates.get((one.dag, one.run))
        if not one.dag or fate is None or one.newest > now - SETTLED:
            continue
        if why := _gone(one, fate, limits, now=now):
            found.append(Removal(one, why, now - SETTLED))
            kept -= one.bytes
        elif fate.fate is Fate.ENDED:
            end = max(_seconds(fate.ended_at), one.newest)
            if 0 < limits.days(one.kind) * DAY < now - end:
                found.append(
                    Removal(one, f"ended more than {limits.days(one.kind):g} days ago", now - SETTLED)
                )
                kept -= one.bytes
                continue
            if one.kind == "xcom" and fate.xcoms is not None and one.files > len(fate.xcoms):
                found.append(
                    Removal(one, "rewritten or deleted values", now - SETTLED, keep=frozenset(fate.xcoms))
                )
            ended.append((end, one))
    if limits.most_bytes:
        for _, one in sorted(ended, key=lambda pair: pair[0]):
            if kept <= limits.most_bytes:
                break
            found = [each for each in found if each.stored is not one]
            found.append(Removal(one, f"more than {limits.most_bytes} bytes are stored", now - SETTLED))
            kept -= one.bytes
    return found


def _gone(one: Stored, fate: RunFate, limits: Limits, *, now: float) -> str:
    if one.newest > now - ORPHANED:
        return ""
    if fate.fate is Fate.DELETED:
        return "the plane has no such run"
    if fate.fate is Fate.UNKNOWN and limits.unknown:
        return "the plane does not know the Dag"
    return ""


def _seconds(moment: datetime | None) -> float:
    return 0.0 if moment is None else moment.timestamp()
