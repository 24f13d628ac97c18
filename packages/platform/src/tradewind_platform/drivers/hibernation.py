"""Puts a Deployment to sleep when its tasks have ended: its agents are given nothing new meanwhile."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, Protocol

from tradewind_platform.clock import Clock
from tradewind_platform.drivers.airflow_api import AirflowApi
from tradewind_platform.reconciler.driver import Document, StepWaits
from tradewind_protocol.states import AgentState, AttemptState

DEADLINE: Final = "deadline"
"""The argument with the moment after which it does not wait for tasks any longer."""
_REASON: Final = {"reason": "the Deployment hibernates"}


class CordonedAgents(Protocol):
    """Where a driver keeps the ids of the agents that it has cordoned."""

    def of(self, document: Document) -> set[str]:
        """Empty when there are none."""

    def keep(self, document: Document, agents: Collection[str]) -> None:
        """These from now on, also for another process of the driver. None: forget them."""


class Hibernation:
    """Remembers which agents it has cordoned: those that a person has cordoned stay so."""

    def __init__(self, airflow: AirflowApi, cordoned: CordonedAgents, clock: Clock) -> None:
        self._airflow = airflow
        self._cordoned = cordoned
        self._clock = clock

    def cordon(self, document: Document) -> None:
        """Every agent is given no new work."""
        for agent in self._listed(document, "/agents"):
            if agent["state"] not in (AgentState.CORDONED.value, AgentState.DRAINING.value):
                # Before it is asked: a cordon that nothing remembers would stay for ever.
                self._cordoned.keep(document, {*self._cordoned.of(document), agent["id"]})
                self._airflow.operator(document, "POST", f"/agents/{agent['id']}/cordon", json=_REASON)

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
        for agent in sorted(self._cordoned.of(document)):
            self._airflow.operator(
                document,
                "POST",
                f"/agents/{agent}/resume",
                json={"reason": "the Deployment is awake"},
                missing_is_well=True,
            )
        self._cordoned.keep(document, ())

    def _listed(self, document: Document, path: str, **filters: Any) -> list[dict[str, Any]]:
        found = self._airflow.operator(document, "GET", path, params={"limit": 1000, **filters})
        return list(found["items"])
