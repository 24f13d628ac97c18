"""Between `tradewind-agent storage` and the agent that runs: a request and a report, two files in the state directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tradewind_agent.kits import files

REQUEST: Final = "storage-request.json"
REPORT: Final = "storage.json"


def request(state_dir: Path, *, id: str, clean: bool, unknown: bool) -> None:
    """Ask the agent that runs from this directory to look, and to clean. Raises OSError."""
    _write(state_dir / REQUEST, {"id": id, "clean": clean, "unknown": unknown})


def take_request(state_dir: Path) -> dict[str, Any] | None:
    """What was asked, once."""
    path = state_dir / REQUEST
    asked = _read(path)
    if asked is not None:
        path.unlink(missing_ok=True)
    return asked


def leave_report(state_dir: Path, report: Mapping[str, Any]) -> None:
    """The report of one look, in place of the last one. Raises OSError."""
    _write(state_dir / REPORT, report)


def report(state_dir: Path) -> dict[str, Any] | None:
    """The last report, or None when there is none."""
    return _read(state_dir / REPORT)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, document: Mapping[str, Any]) -> None:
    files.write_whole(path, json.dumps(document))
