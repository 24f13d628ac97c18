"""The report of what is stored at a site, as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

_HEAD: Final = ("KIND", "DAG", "RUNS", "LIVE", "FILES", "SIZE", "OLDEST", "REMOVABLE")
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def table(report: Mapping[str, Any]) -> str:
    """Rows by kind and Dag, the largest first; then why what is removable is, and what could not be looked at."""
    rows = [_HEAD, *(_row(one) for one in report.get("stored", ()))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    reasons: dict[str, list[int]] = {}
    for one in report.get("removals", ()):
        total = reasons.setdefault(one["why"], [0, 0])
        total[0] += one["files"]
        total[1] += one["bytes"]
    verb = "would be removed with --clean" if report.get("dry", True) else "removed"
    lines += [""] + [
        f"{files} files ({size_text(size)}) {verb}: {why}" for why, (files, size) in sorted(reasons.items())
    ]
    if not reasons and not report.get("problems"):
        lines.append("nothing is removable")
    lines += [f"problem: {one}" for one in report.get("problems", ())]
    return "\n".join(lines)


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    oldest = datetime.fromtimestamp(one["oldest"], timezone.utc)
    of_runs = bool(one["dag"])
    return (
        one["kind"],
        one["dag"] if of_runs else "(assets)",
        str(one["runs"]) if of_runs else "-",
        str(one["live"]) if of_runs else "-",
        str(one["files"]),
        size_text(one["bytes"]),
        f"{oldest:%Y-%m-%d}",
        size_text(one["removable_bytes"]) if one["removable_files"] else "-",
    )


def size_text(size: float) -> str:
    """12 B, 3.4 GiB."""
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"
