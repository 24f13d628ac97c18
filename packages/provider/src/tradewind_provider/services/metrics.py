"""Every metric of the plane, by Prometheus' conventions, and what stands behind them.

`docs/reference/metrics.md` is generated from this table. The only labels that grow with what people do are `site` and
`queue`: the queues with most work have their own, the others share one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from tradewind_protocol.operator import QueueView
from tradewind_protocol.states import AgentState
from tradewind_provider.domain.agents import Beats
from tradewind_provider.services.operator import agents, queues

MOST_QUEUES: Final = 100
OTHER_QUEUES: Final = "(other)"


@dataclass(frozen=True)
class Snapshot:
    """The plane at one moment."""

    agents: Counter[AgentState] = field(default_factory=Counter)
    queues: tuple[QueueView, ...] = ()
    versions: tuple[str, str] = ("", "")  # of tradewind-provider and of Airflow
    polls: int = 0  # held by this API server
    log_streams: int = 0  # through this API server


Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True)
class Definition:
    """One metric: a gauge, for all of them are states of the database or of this process."""

    name: str
    help: str
    labels: tuple[str, ...]
    of: Callable[[Snapshot], Samples]


def look(db: Session, *, now: datetime, beats: Beats) -> Snapshot:
    """What the database says, in a few statements."""
    found = Counter(agent.state for agent in agents.present(db, now=now, beats=beats))
    return Snapshot(agents=found, queues=limited(queues.listed(db, now=now, beats=beats).items))


def limited(views: Iterable[QueueView], most: int = MOST_QUEUES) -> tuple[QueueView, ...]:
    """The queues with most work, then one that stands for all others."""
    ranked = sorted(views, key=lambda one: (-(one.depth + one.running), *_name(one)))
    if len(ranked) <= most:
        return tuple(sorted(ranked, key=_name))
    kept, rest = ranked[: most - 1], ranked[most - 1 :]
    other = QueueView(
        site=OTHER_QUEUES,
        queue=OTHER_QUEUES,
        depth=sum(one.depth for one in rest),
        oldest_wait=max(one.oldest_wait for one in rest),
        running=sum(one.running for one in rest),
        slots=sum(one.slots for one in rest),
        slots_used=sum(one.slots_used for one in rest),
    )
    return (*sorted(kept, key=_name), other)


def _queue(value: Callable[[QueueView], float]) -> Callable[[Snapshot], Samples]:
    return lambda snapshot: [(_name(one), float(value(one))) for one in snapshot.queues]


def _name(one: QueueView) -> tuple[str, str]:
    """The labels of a queue. Work of bundles that no site has is of site ""."""
    return one.site or "", one.queue


METRICS: Final = (
    Definition(
        "tradewind_plane_build_info",
        "1, with the versions of tradewind-provider and Airflow",
        ("version", "airflow"),
        lambda snapshot: [(snapshot.versions, 1.0)],
    ),
    Definition(
        "tradewind_plane_agents",
        "Agents whose session has not ended, by state",
        ("state",),
        lambda snapshot: [((state.value,), float(snapshot.agents[state])) for state in AgentState],
    ),
    Definition(
        "tradewind_plane_queue_depth", "Work that waits", ("site", "queue"), _queue(lambda one: one.depth)
    ),
    Definition(
        "tradewind_plane_queue_oldest_wait_seconds",
        "How long the oldest of it has waited; 0 when none waits",
        ("site", "queue"),
        _queue(lambda one: one.oldest_wait),
    ),
    Definition(
        "tradewind_plane_queue_running",
        "Work that is offered or runs",
        ("site", "queue"),
        _queue(lambda one: one.running),
    ),
    Definition(
        "tradewind_plane_queue_slots",
        "Slots of the agents that take work from it now",
        ("site", "queue"),
        _queue(lambda one: one.slots),
    ),
    Definition(
        "tradewind_plane_queue_agents",
        "Agents that take work from it now",
        ("site", "queue"),
        _queue(lambda one: len(one.agents)),
    ),
    Definition(
        "tradewind_plane_polls",
        "Polls this API server holds",
        (),
        lambda snapshot: [((), float(snapshot.polls))],
    ),
    Definition(
        "tradewind_plane_log_streams",
        "Logs read through this API server",
        (),
        lambda snapshot: [((), float(snapshot.log_streams))],
    ),
)


def text(snapshot: Snapshot) -> str:
    """Prometheus' text format, version 0.0.4."""
    lines = []
    for metric in METRICS:
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} gauge"]
        for values, value in metric.of(snapshot):
            pairs = ",".join(
                f'{name}="{_escaped(each)}"' for name, each in zip(metric.labels, values, strict=True)
            )
            lines.append(f"{metric.name}{'{' + pairs + '}' if pairs else ''} {value:g}")
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
