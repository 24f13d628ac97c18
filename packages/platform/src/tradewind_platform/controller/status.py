"""What a controller tells of itself: whether its loop turns, whether the platform answers, and what it has done."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tradewind_protocol import prometheus
from tradewind_protocol.prometheus import Samples

STUCK_AFTER: Final = 180.0
"""Seconds without a turn of the loop after which the process counts as stuck. A poll takes 60 at the most, and a pause ten."""
SILENT_AFTER: Final = 60.0
"""Seconds without an answer after which the platform counts as away."""


@dataclass
class ControllerStatus:
    """Told of each thing as it happens, by any thread."""

    version: str = ""
    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    problem: str = ""  # why the platform did not answer last; empty: it did
    running: int = 0  # steps
    ended: Counter[str] = field(default_factory=Counter)  # steps, by outcome
    deployments: int = 0  # that were observed last
    answered_at: float | None = None  # by the clock
    observed_at: float | None = None
    _turned: float = 0.0
    _answered: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._turned = self.monotonic()

    def turns(self) -> None:
        """The loop has come by."""
        self._turned = self.monotonic()

    def answers(self) -> None:
        """The platform has answered."""
        self.problem, self.answered_at, self._answered = "", self.now(), self.monotonic()

    def fails(self, problem: str) -> None:
        """The platform has not answered, or has refused."""
        self.problem = problem

    def begins(self) -> None:
        """A step begins."""
        with self._lock:
            self.running += 1

    def ends(self, outcome: str) -> None:
        """A step has ended so."""
        with self._lock:
            self.running -= 1
            self.ended[outcome] += 1

    def observes(self, deployments: int) -> None:
        """Each of so many Deployments was observed."""
        self.deployments, self.observed_at = deployments, self.now()

    @property
    def reachable(self) -> bool:
        """Whether the platform has answered lately."""
        return self._answered is not None and self.monotonic() - self._answered <= SILENT_AFTER

    @property
    def not_alive(self) -> str:
        """Why the process should be started again; empty: it should not."""
        still = self.monotonic() - self._turned
        return f"the loop has not turned for {still:.0f} s" if still > STUCK_AFTER else ""

    @property
    def not_ready(self) -> str:
        """Why nothing can be done for the platform now; empty: it can."""
        return "" if self.reachable else self.problem or "the platform has not answered yet"


MetricDefinition = prometheus.MetricDefinition[ControllerStatus]


def _moment(of: Callable[[ControllerStatus], float | None]) -> Callable[[ControllerStatus], Samples]:
    return lambda status: [] if (at := of(status)) is None else [((), at)]


METRICS: Final[tuple[MetricDefinition, ...]] = (
    MetricDefinition(
        "tradewind_controller_build_info",
        "1, with the version of tradewind-platform",
        ("version",),
        lambda status: [((status.version,), 1.0)],
    ),
    MetricDefinition(
        "tradewind_controller_platform_reachable",
        "1 while the platform answers",
        (),
        lambda status: [((), float(status.reachable))],
    ),
    MetricDefinition(
        "tradewind_controller_platform_answer_timestamp_seconds",
        "When the platform answered last; absent before the first time",
        (),
        _moment(lambda status: status.answered_at),
    ),
    MetricDefinition(
        "tradewind_controller_steps",
        "Steps of operations that are done now",
        (),
        lambda status: [((), float(status.running))],
    ),
    MetricDefinition(
        "tradewind_controller_steps_ended_total",
        "Steps that ended since the start: succeeded, failed, or to be done again (waits)",
        ("outcome",),
        lambda status: [((outcome,), float(n)) for outcome, n in sorted(status.ended.items())],
        kind="counter",
    ),
    MetricDefinition(
        "tradewind_controller_deployments",
        "Deployments that were observed last",
        (),
        lambda status: [((), float(status.deployments))],
    ),
    MetricDefinition(
        "tradewind_controller_observation_timestamp_seconds",
        "When all of them were observed last; absent before the first time",
        (),
        _moment(lambda status: status.observed_at),
    ),
)


def text(status: ControllerStatus) -> str:
    """Prometheus' text format."""
    return prometheus.text(METRICS, status)
