"""The agent's own checks: findings about this site, for the plane and for the site's owner."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tradewind_agent.monitoring.masking import Masking
from tradewind_agent.state import key_ring, owner_rules
from tradewind_protocol.polling import Finding

_LEAST_FREE = 200 * 1024 * 1024  # bytes
_OLD = 300.0  # seconds an outcome may wait while the plane answers


class _Outbox(Protocol):
    def oldest(self) -> float | None: ...


class Checks:
    """Gathers findings. It is called often, so what costs a system call or a query is checked once in `every` seconds."""

    def __init__(
        self,
        *,
        state_dir: Path,
        outbox: _Outbox,
        processes: Callable[[], Sequence[Finding]],
        ledger_problem: Callable[[], str],
        health_problem: Callable[[], str],
        rules_problem: Callable[[], str] = lambda: "",
        keys_problem: Callable[[], str] = lambda: "",
        now: Callable[[], float],
        masking: Masking,
        every: float = 15.0,
    ) -> None:
        self._state_dir = state_dir
        self._outbox = outbox
        self._processes = processes
        self._ledger_problem = ledger_problem
        self._health_problem = health_problem
        self._rules_problem = rules_problem
        self._keys_problem = keys_problem
        self._now = now
        self._masking = masking
        self._every = every
        self._looked: float | None = None
        self._slow: list[Finding] = []

    def __call__(self) -> list[Finding]:
        """Everything that fails now, with secrets masked."""
        now = self._now()
        if self._looked is None or not 0 <= now - self._looked < self._every:
            self._looked, self._slow = now, [*self._disk(), *self._waiting(now)]
        found = [*self._processes(), *self._slow]
        if ledger := self._ledger_problem():
            remedy = "Free disk space, or check its rights"
            found.append(Finding(check="ledger", message=ledger, remedy=remedy))
        if health := self._health_problem():
            remedy = "Set metrics_port to a free one for each agent of a machine, or to 0"
            found.append(Finding(check="port", message=health, remedy=remedy))
        if rules := self._rules_problem():
            found.append(Finding(check="rules", message=rules[:2000], remedy=owner_rules.REMEDY))
        if keys := self._keys_problem():
            found.append(Finding(check="seal", message=keys[:2000], remedy=key_ring.REMEDY))
        return self._masking.findings(found)

    def _disk(self) -> list[Finding]:
        try:
            free = shutil.disk_usage(self._state_dir).free
        except OSError as error:
            return [
                Finding(check="disk", message=f"{self._state_dir} cannot be read: {error.strerror or error}")
            ]
        if free >= _LEAST_FREE:
            return []
        # Rounded down, so that the finding does not change (and go out anew) with every byte written.
        size = "almost nothing" if free < 1024 * 1024 else f"less than {_LEAST_FREE // 1024 // 1024} MB"
        return [
            Finding(
                check="disk",
                message=f"{size} is free where {self._state_dir} is",
                remedy="Free space: outcomes and logs are written there",
            )
        ]

    def _waiting(self, now: float) -> list[Finding]:
        oldest = self._outbox.oldest()
        if oldest is None or now - oldest < _OLD:
            return []
        return [
            Finding(
                check="outbox",
                message=f"an outcome has been waiting for the plane for more than {_OLD / 60:.0f} minutes",
                remedy="See the agent's log for why it cannot be delivered",
            )
        ]
