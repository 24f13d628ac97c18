"""What user code wrote down while it ran: the only witness a test of faults believes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from support.patience import eventually


@dataclass(frozen=True)
class Span:
    """One stretch of user code, from its first line to the last sign of life."""

    run: str
    task: str
    map_index: int
    attempt: int  # Airflow's try number
    agent: str
    pid: int
    start: float
    last: float  # of start, ticks and end, whichever was last
    end: float | None  # None: it never came to its last line

    @property
    def subject(self) -> tuple[str, str, int]:
        return self.run, self.task, self.map_index

    def overlaps(self, other: Span) -> bool:
        return self.start <= other.last and other.start <= self.last


class Journal:
    """A file that user code appends one JSON object a line to, from any number of processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self, event: str | None = None, **facts: Any) -> list[dict[str, Any]]:
        """Lines of that event with those facts, oldest first. A line that was cut off in the middle is left out."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if (event is None or entry["event"] == event) and facts.items() <= entry.items():
                found.append(entry)
        return found

    def spans(self, **facts: Any) -> list[Span]:
        """Every stretch of user code with those facts, by start."""
        lines: dict[str, list[dict[str, Any]]] = {}
        for entry in self.entries(**facts):
            if "span" in entry:
                lines.setdefault(entry["span"], []).append(entry)
        return sorted((_span(each) for each in lines.values()), key=lambda span: span.start)

    def wait_for_spans(self, count: int, *, timeout: float, ended: bool = False, **facts: Any) -> list[Span]:
        """The spans once there are `count` (with their last line, if `ended`). Raises AssertionError otherwise."""

        def found() -> list[Span]:
            return [span for span in self.spans(**facts) if span.end is not None or not ended]

        eventually(
            lambda: len(found()) >= count,
            timeout=timeout,
            what=lambda: f"{count} times user code {'ended' if ended else 'started'} {facts}, saw {found()}",
        )
        return found()


def at_once(spans: Iterable[Span]) -> list[tuple[Span, Span]]:
    """Pairs of spans of one task instance that were alive at the same moment: there must never be one."""
    by_subject: dict[tuple[str, str, int], list[Span]] = {}
    for span in spans:
        by_subject.setdefault(span.subject, []).append(span)
    return [
        (one, other)
        for each in by_subject.values()
        for one, other in combinations(each, 2)
        if one.overlaps(other)
    ]


def ran_once(spans: Sequence[Span], count: int) -> None:
    """Assert that `count` task instances ran, each exactly once and to its last line."""
    subjects = [span.subject for span in spans]
    repeated = sorted({subject for subject in subjects if subjects.count(subject) > 1})
    assert not repeated, f"ran more than once: {repeated}"
    unfinished = [span for span in spans if span.end is None]
    assert not unfinished, f"did not come to their last line: {unfinished}"
    assert len(subjects) == count, f"{len(subjects)} ran, not {count}"


def _span(lines: list[dict[str, Any]]) -> Span:
    first = lines[0]
    moments = [line["at"] for line in lines]
    ends = [line["at"] for line in lines if line["event"] == "end"]
    return Span(
        run=first["run"],
        task=first["task"],
        map_index=first["map_index"],
        attempt=first["attempt"],
        agent=first["agent"],
        pid=first["pid"],
        start=min(moments),
        last=max(moments),
        end=ends[0] if ends else None,
    )
