"""The ledger as its owner reads it: chosen lines, as a table with a total, or as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Line = Mapping[str, Any]

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class LineFilter:
    """Which lines. Texts are parts of what is looked for, upper and lower case alike; empty: any."""

    who: str = ""  # of the principal or the path: "orders.load", an attempt's id, "dag_processor"
    to: str = ""  # of the address it left to
    left: bool | None = None  # None: what stayed as well
    decision: str = ""  # exactly: passed, changed, answered, refused, kept

    def of(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Those of the lines, in their order."""
        return (line for line in lines if self._fits(line))

    def _fits(self, line: Line) -> bool:
        who = f"{line.get('principal', '')} {line.get('path', '')}".lower()
        return (
            self.who.lower() in who
            and self.to.lower() in str(line.get("to", "")).lower()
            and (self.left is None or bool(line.get("left")) is self.left)
            and self.decision in ("", line.get("decision"))
        )


@dataclass
class Total:
    """What some lines come to."""

    requests: int = 0
    size: int = 0
    stayed: int = 0
    unanswered: int = 0

    def add(self, line: Line) -> None:
        """Count one."""
        if not line.get("left"):
            self.stayed += 1
            return
        self.requests += 1
        self.size += int(line.get("bytes", 0))
        self.unanswered += not line.get("status")

    def text(self) -> str:
        unanswered = f", {self.unanswered} of them without an answer" if self.unanswered else ""
        return f"{self.requests} left with {size(self.size)}{unanswered}; {self.stayed} stayed"


_HEADS = ("AT (UTC)", "REQUESTER", "REQUEST", "BYTES", "TO", "DECISION")


def row(line: Line) -> str:
    """One line as a row of the table."""
    said = [str(line.get("what", "")), f"carries {', '.join(carries)}" if (carries := carried(line)) else ""]
    decision = ": ".join(filter(None, (str(line.get("decision", "")), "; ".join(filter(None, said)))))
    status = line.get("status") or "no answer"
    return _row(
        str(line.get("at", ""))[:23].replace("T", " "),
        str(line.get("principal", "")),
        f"{line.get('method', '')} {line.get('path', '')}",
        str(line.get("bytes", "")),
        f"{line.get('to') or 'the plane'} ({status})" if line.get("left") else "stayed here",
        decision,
    )


def carried(line: Line) -> list[str]:
    """What a line says that its request carried."""
    carries = line.get("carries")
    return [str(one) for one in carries] if isinstance(carries, list) else []


def head() -> str:
    """The first row of the table."""
    return _row(*_HEADS)


def summary(lines: Iterable[Line]) -> list[str]:
    """For each who, request and address: how many, how many bytes. The most bytes come first."""
    found: dict[tuple[str, str, str], Total] = {}
    for line in lines:
        where = str(line.get("to") or "the plane") if line.get("left") else "stayed here"
        # an attempt's label goes on with its run in brackets: a summary is by task
        who = str(line.get("principal", "")).partition(" [")[0]
        path = _ID.sub("{id}", str(line.get("path", "")))
        key = (who, f"{line.get('method', '')} {path}", where)
        found.setdefault(key, Total()).add(line)
    ordered = sorted(found.items(), key=lambda each: (-each[1].size, each[0]))
    rows = [f"{'REQUESTER':<32} {'REQUESTS':>8} {'BYTES':>12}  {'TO':<32} REQUEST"]
    for (who, request, where), total in ordered:
        rows.append(f"{who:<32} {total.requests + total.stayed:>8} {total.size:>12}  {where:<32} {request}")
    return rows


def size(number: int) -> str:
    """Bytes for people: "812 bytes", "1.4 MB"."""
    if number < 1000:
        return f"{number} bytes"
    amount = number / 1000
    for unit in ("kB", "MB", "GB"):
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _row(at: str, who: str, request: str, bytes_: str, to: str, decision: str) -> str:
    return f"{at:<23}  {who:<40} {request:<60} {bytes_:>9}  {to:<40} {decision}".rstrip()
