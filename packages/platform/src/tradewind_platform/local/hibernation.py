"""Puts a Deployment to sleep when its tasks have ended: its agents are given nothing new meanwhile."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tradewind_platform.clock import Clock
from tradewind_platform.local.airflow_api import ask
from tradewind_platform.local.planes import Planes
from tradewind_platform.reconciler.driver import Document, StepWaits
from tradewind_protocol.states import AgentState, AttemptState

DEADLINE: Final = "deadline"
"""The argument with the moment after which it does not wait for tasks any longer."""
_REASON: Final = {"reason": "the Deployment hibernates"}


class Hibernation:
    """Remembers which agents it has cordoned: those that a person has cordoned stay so."""

    def __init__(self, planes: Planes, clock: Clock) -> None:
        self._planes = planes
        self._clock = clock

    def cordon(self, document: Document) -> None:
        """Every agent is given no new work."""
        for agent in self._listed(document, "/agents"):
            if agent["state"] not in (AgentState.CORDONED.value, AgentState.DRAINING.value):
                # Before it is asked: a cordon that nothing remembers would stay for ever.
                self._remember(document, {*self._remembered(document), agent["id"]})
                ask(self._planes, document, "POST", f"/agents/{agent['id']}/cordon", json=_REASON)

    def wait_for_tasks(self, document: Document) -> None:
        """Nothing runs. Raises StepWaits while something does, until the deadline: what runs then goes on at its site, and
        its outcome comes when the Deployment is awake."""
        self.cordon(document)  # an agent may have come meanwhile
        states = [AttemptState.OFFERED.value, AttemptState.RUNNING.value]
        running = self._listed(document, "/attempts", state=states)
        deadline = document.arguments.get(DEADLINE)
        if not running or (deadline is not None and self._clock() >= datetime.fromisoformat(deadline)):
            return
        first = running[0].get("label") or running[0]["id"]
        more = f" and {len(running) - 1} more" if len(running) > 1 else ""
        raise StepWaits(f"waits for {first}{more}", again=2.0)

    def uncordon(self, document: Document) -> None:
        """The agents that were cordoned for this get work again."""
        for agent in sorted(self._remembered(document)):
            path = f"/agents/{agent}/resume"
            ask(
                self._planes,
                document,
                "POST",
                path,
                json={"reason": "the Deployment is awake"},
                missing_is_well=True,
            )
        self._file(document).unlink(missing_ok=True)

    def _listed(self, document: Document, path: str, **filters: Any) -> list[dict[str, Any]]:
        found = ask(self._planes, document, "GET", path, params={"limit": 1000, **filters})
        return list(found["items"])

    def _file(self, document: Document) -> Path:
        return self._planes.settings.home / "cordoned" / f"{document.slug}.json"

    def _remembered(self, document: Document) -> set[str]:
        try:
            return set(json.loads(self._file(document).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return set()

    def _remember(self, document: Document, agents: set[str]) -> None:
        file = self._file(document)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(sorted(agents)), encoding="utf-8")
        part.replace(file)
