"""Every metric of the plane, by Prometheus' conventions, and what stands behind them.

`docs/reference/metrics.md` is generated from this table. Labels that grow with what people do are `site` and `queue` (the
queues with most work have their own, the others share one), `token` (there are few) and `agent`, of those alone that
were lost within the hour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tradewind_protocol import prometheus
from tradewind_protocol.operator import AgentView, CanaryView, QueueView
from tradewind_protocol.prometheus import Samples
from tradewind_protocol.states import GONE as GONE_STATES
from tradewind_protocol.states import AgentState
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services.ended_attempts import EndedTotals, Histogram
from tradewind_provider.services.operator import agent_views, queues, sentinels
from tradewind_provider.store.tables import AgentSession, AgentToken

MOST_QUEUES: Final = 100
OTHER_QUEUES: Final = "(other)"


@dataclass(frozen=True)
class PlaneSnapshot:
    """The plane at one moment."""

    agents: Counter[AgentState] = field(default_factory=Counter)
    lost: Mapping[tuple[str, str], datetime] = field(default_factory=dict)  # site, agent → when
    tokens: Mapping[tuple[str, str], datetime] = field(
        default_factory=dict
    )  # site, agent token → when it expires
    queues: tuple[QueueView, ...] = ()
    ended: EndedTotals = field(default_factory=EndedTotals)
    refusals: Mapping[str, int] = field(default_factory=dict)  # code → how many, by this API server
    sentinels: Mapping[tuple[str, str], datetime] = field(
        default_factory=dict
    )  # site, sentinel → when it reported last
    sentinel_findings: Mapping[tuple[str, str], int] = field(default_factory=dict)  # site, check → how many
    versions: tuple[str, str] = ("", "")  # of tradewind-provider and of Airflow
    polls: int = 0  # held by this API server
    log_streams: int = 0  # through this API server
    shortcuts: Mapping[str, str] = field(default_factory=dict)  # name → why it is off here; empty: it is on


Histograms = Iterable[tuple[tuple[str, ...], Histogram]]


MetricDefinition = prometheus.MetricDefinition[PlaneSnapshot]


@dataclass(frozen=True)
class HistogramDefinition:
    """One metric of durations."""

    name: str
    help: str
    labels: tuple[str, ...]
    of: Callable[[PlaneSnapshot], Histograms]
    kind: str = "histogram"


GONE_FOR: Final = timedelta(hours=1)
"""How long an agent that is lost or has left stays in a series. An alert looks every minute or so, and a state that lasts
seconds would be seen by none."""


def look(db: Session, *, now: datetime, beats: HeartbeatLimits) -> PlaneSnapshot:
    """What the database says, in a few statements."""
    recent = agent_views.newest(gone=True).where(
        or_(AgentSession.ended_at.is_(None), AgentSession.ended_at > now - GONE_FOR)
    )
    found = agent_views.views(db, recent, now=now, beats=beats)
    watching = sentinels.listed(db, now=now).items
    return PlaneSnapshot(
        agents=Counter(agent.state for agent in found),
        lost=_lost(found, now=now),
        tokens=_expiries(db, now=now),
        sentinels={(one.site, one.name): one.last_at for one in watching},
        sentinel_findings=Counter((one.site, each.check) for one in watching for each in one.findings),
        queues=limited(queues.listed(db, now=now, beats=beats).items),
    )


def _lost(found: Iterable[AgentView], *, now: datetime) -> dict[tuple[str, str], datetime]:
    """Agents that are lost and have not come back, not even under another id, as a container without its disk does."""
    views = list(found)
    here = {(one.site, one.name) for one in views if one.state not in GONE_STATES}
    lost: dict[tuple[str, str], datetime] = {}
    for one in views:
        name = (one.site, one.name)
        if one.state is AgentState.LOST and name not in here:
            at = one.ended_at or one.last_beat_at or now
            lost[name] = max(at, lost.get(name, at))
    return lost


def _expiries(db: Session, *, now: datetime) -> dict[tuple[str, str], datetime]:
    rows = db.execute(
        select(AgentToken.site, AgentToken.name, AgentToken.expires_at)
        .where(AgentToken.deleted_at.is_(None), AgentToken.expires_at > now - GONE_FOR)
        .order_by(AgentToken.expires_at.desc())
    )
    return {(site, name): expires for site, name, expires in rows if expires is not None}


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


def _queue(value: Callable[[QueueView], float]) -> Callable[[PlaneSnapshot], Samples]:
    return lambda snapshot: [(_name(one), float(value(one))) for one in snapshot.queues]


def _canaries(
    values: Callable[[CanaryView], Iterable[tuple[tuple[str, ...], float]]],
) -> Callable[[PlaneSnapshot], Samples]:
    return lambda snapshot: [
        ((*_name(one), *labels), value)
        for one in snapshot.queues
        if one.canary is not None
        for labels, value in values(one.canary)
    ]


def _name(one: QueueView) -> tuple[str, str]:
    """The labels of a queue. Work of bundles that no site has is of site ""."""
    return one.site or "", one.queue


METRICS: Final[tuple[MetricDefinition | HistogramDefinition, ...]] = (
    MetricDefinition(
        "tradewind_plane_build_info",
        "1, with the versions of tradewind-provider and Airflow",
        ("version", "airflow"),
        lambda snapshot: [(snapshot.versions, 1.0)],
    ),
    MetricDefinition(
        "tradewind_plane_agents",
        "Agents by state; lost and offline agents count for an hour",
        ("state",),
        lambda snapshot: [((state.value,), float(snapshot.agents[state])) for state in AgentState],
    ),
    MetricDefinition(
        "tradewind_plane_agent_lost_timestamp_seconds",
        "When an agent was lost, for an hour or until it is back",
        ("site", "agent"),
        lambda snapshot: [(name, at.timestamp()) for name, at in sorted(snapshot.lost.items())],
    ),
    MetricDefinition(
        "tradewind_plane_agent_token_expiry_timestamp_seconds",
        "When an agent token expires; absent for one that never does",
        ("site", "token"),
        lambda snapshot: [(name, at.timestamp()) for name, at in sorted(snapshot.tokens.items())],
    ),
    MetricDefinition(
        "tradewind_plane_sentinel_report_timestamp_seconds",
        "When a sentinel reported last; for a week after its last report",
        ("site", "sentinel"),
        lambda snapshot: [(name, at.timestamp()) for name, at in sorted(snapshot.sentinels.items())],
    ),
    MetricDefinition(
        "tradewind_plane_sentinel_findings",
        "What sentinels find wrong, by check",
        ("site", "check"),
        lambda snapshot: [(key, float(n)) for key, n in sorted(snapshot.sentinel_findings.items())],
    ),
    MetricDefinition(
        "tradewind_plane_attempts_ended_total",
        "Attempts that ended, by the end of their process and the state it left their task in",
        ("site", "queue", "process", "task_state"),
        lambda snapshot: [(labels, float(n)) for labels, n in sorted(snapshot.ended.ended.items())],
        kind="counter",
    ),
    HistogramDefinition(
        "tradewind_plane_attempt_run_seconds",
        "How long attempts ran, from grant to end",
        ("site", "queue"),
        lambda snapshot: sorted(snapshot.ended.ran.items(), key=lambda one: one[0]),
    ),
    HistogramDefinition(
        "tradewind_plane_attempt_wait_seconds",
        "How long attempts waited, from being queued to the grant",
        ("site", "queue"),
        lambda snapshot: sorted(snapshot.ended.waited.items(), key=lambda one: one[0]),
    ),
    MetricDefinition(
        "tradewind_plane_refusals_total",
        "Requests this API server refused, by code",
        ("code",),
        lambda snapshot: [((code,), float(n)) for code, n in sorted(snapshot.refusals.items())],
        kind="counter",
    ),
    MetricDefinition(
        "tradewind_plane_queue_depth", "Work that waits", ("site", "queue"), _queue(lambda one: one.depth)
    ),
    MetricDefinition(
        "tradewind_plane_queue_oldest_wait_seconds",
        "How long the oldest of it has waited; 0 when none waits",
        ("site", "queue"),
        _queue(lambda one: one.oldest_wait),
    ),
    MetricDefinition(
        "tradewind_plane_queue_running",
        "Work that is offered or runs",
        ("site", "queue"),
        _queue(lambda one: one.running),
    ),
    MetricDefinition(
        "tradewind_plane_queue_slots",
        "Slots of the agents that take work from it now",
        ("site", "queue"),
        _queue(lambda one: one.slots),
    ),
    MetricDefinition(
        "tradewind_plane_queue_agents",
        "Agents that take work from it now",
        ("site", "queue"),
        _queue(lambda one: len(one.agents)),
    ),
    MetricDefinition(
        "tradewind_plane_canary_up",
        "1 when the last canary of a queue that was tried went all the way, 0 when it failed",
        ("site", "queue"),
        _canaries(
            lambda one: [((), 0.0 if one.failures else 1.0)] if one.failures or one.ok_at is not None else []
        ),
    ),
    MetricDefinition(
        "tradewind_plane_canary_failures",
        "Canaries that failed since the last one that went all the way, with the part of the way that failed last",
        ("site", "queue", "hop"),
        _canaries(lambda one: [((one.hop.value if one.failures and one.hop else "",), float(one.failures))]),
    ),
    MetricDefinition(
        "tradewind_plane_canary_seconds",
        "How long each part of the way of the last canary took",
        ("site", "queue", "hop"),
        _canaries(lambda one: [((hop.value,), took) for hop, took in one.seconds.items()]),
    ),
    MetricDefinition(
        "tradewind_plane_canary_timestamp_seconds",
        "When the last canary of a queue ended",
        ("site", "queue"),
        _canaries(lambda one: [((), one.at.timestamp())]),
    ),
    MetricDefinition(
        "tradewind_plane_polls",
        "Polls this API server holds",
        (),
        lambda snapshot: [((), float(snapshot.polls))],
    ),
    MetricDefinition(
        "tradewind_plane_log_streams",
        "Logs read through this API server",
        (),
        lambda snapshot: [((), float(snapshot.log_streams))],
    ),
    MetricDefinition(
        "tradewind_plane_shortcut",
        "1 while a shortcut is on in this API server, 0 while it is off",
        ("shortcut",),
        lambda snapshot: [((name,), 0.0 if why else 1.0) for name, why in sorted(snapshot.shortcuts.items())],
    ),
)


def text(snapshot: PlaneSnapshot) -> str:
    """Prometheus' text format."""
    lines = []
    for metric in METRICS:
        lines += prometheus.head(metric.name, metric.kind, metric.help)
        if isinstance(metric, HistogramDefinition):
            for values, histogram in metric.of(snapshot):
                lines += _of_histogram(metric, values, histogram)
        else:
            lines += [
                prometheus.sample(metric.name, metric.labels, values, value)
                for values, value in metric.of(snapshot)
            ]
    return "\n".join(lines) + "\n"


def _of_histogram(
    metric: HistogramDefinition, values: tuple[str, ...], histogram: Histogram
) -> Iterable[str]:
    for bound, count in histogram.cumulative():
        yield prometheus.sample(f"{metric.name}_bucket", (*metric.labels, "le"), (*values, bound), count)
    yield prometheus.sample(f"{metric.name}_sum", metric.labels, values, histogram.sum)
    yield prometheus.sample(f"{metric.name}_count", metric.labels, values, histogram.count)
