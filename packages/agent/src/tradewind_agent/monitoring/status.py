"""How the agent is, in one small document: for `tradewind-agent status`, for /status, for people."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tradewind_agent.kits import files

FILE = "status.json"


class StatusBoard:
    """One line for each loop, and facts that are gathered when the document is read."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self._lines: dict[str, str] = {}
        self._facts: Callable[[], dict[str, Any]] = dict

    def say(self, loop: str, line: str) -> None:
        """What a loop is doing now."""
        self._lines[loop] = line

    def gather(self, facts: Callable[[], dict[str, Any]]) -> None:
        """Where the rest of the document comes from."""
        self._facts = facts

    def document(self) -> dict[str, Any]:
        """Everything, ready for JSON. Holds names, states and numbers; no secret and no content."""
        at = datetime.fromtimestamp(self._now(), timezone.utc).isoformat(timespec="seconds")
        return {"at": at, **self._facts(), "loops": dict(self._lines)}


def write(directory: Path, document: dict[str, Any]) -> None:
    """Leave the document for other processes of this user."""
    files.write_whole(directory / FILE, json.dumps(document, indent=1, default=str) + "\n")


def read(directory: Path) -> dict[str, Any] | None:
    """The document a running agent left last; None when there is none."""
    try:
        found = json.loads((directory / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def alive(document: dict[str, Any]) -> bool:
    """True when the process that wrote the document still runs."""
    try:
        os.kill(int(document["agent"]["pid"]), 0)
    except (KeyError, TypeError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def text(document: dict[str, Any]) -> str:
    """The document as a person reads it."""
    agent, plane = document["agent"], document["plane"]
    lines = [
        f"agent {agent['name']} {agent['version']} (pid {agent['pid']}), {document['at']}",
        f"plane {plane['url']}: "
        + ("answers" if plane["reachable"] else plane["problem"] or "not asked yet"),
        document["not_ready"] or "ready",
    ]
    for each in document["environments"]:
        problem = f": {each['problem']}" if each["problem"] else ""
        airflow = f", Airflow {each['airflow']}" if each["airflow"] else ""
        lines.append(
            f"environment {each['name']}: {each['used']} of {each['slots']} slots,"
            f" queues {', '.join(each['queues'])}{airflow}{problem}"
        )
    for each in document["hosts"]:
        lines.append(
            f"{each['component'].replace('_', ' ')} process ({each['environment']}): {each['state']} {each['line']}".rstrip()
        )
        lines += _accelerators(each.get("accelerators", {}))
    lines += [
        f"! {each['message']}" + (f". {each['remedy']}" if each["remedy"] else "")
        for each in document["findings"]
    ]
    return "\n".join(lines)


def _accelerators(states: dict[str, str]) -> list[str]:
    """A line for those that are on, and one for each that is off, with its reason."""
    on = [name for name, reason in states.items() if not reason]
    lines = [f"  accelerators on: {', '.join(on) or 'none'}"] if states else []
    return lines + [f"  accelerator {name} is off: {reason}" for name, reason in states.items() if reason]
