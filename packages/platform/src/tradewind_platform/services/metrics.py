"""Every metric of a platform, by Prometheus' conventions: `docs/reference/metrics.md` is generated from this table.

Moments are exposed and not ages: the same figures are true however late they are read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import health as rules
from tradewind_platform.domain.health import ConditionType, Status
from tradewind_platform.domain.operations import Phase, State
from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal
from tradewind_platform.services import workloads
from tradewind_platform.services.change import require
from tradewind_platform.store.cluster_tables import ClusterController
from tradewind_platform.store.life_tables import Backup, DeploymentWorkload
from tradewind_platform.store.tables import (
    ApiToken,
    Cluster,
    Deployment,
    DeploymentCondition,
    Operation,
    Workspace,
)
from tradewind_protocol import prometheus
from tradewind_protocol.platform import WorkloadView
from tradewind_protocol.prometheus import Samples

FAILED_FOR: Final = timedelta(days=1)
"""How long a failed operation stays in its series."""
EXPIRED_FOR: Final = timedelta(hours=1)
"""How long a token that has expired does."""

Name = tuple[str, str]
"""Of a workspace, and of a Deployment in it."""


@dataclass(frozen=True)
class PlatformSnapshot:
    """An organization at one moment."""

    version: str = ""
    deployments: Counter[tuple[str, str]] = field(default_factory=Counter)  # phase, health → how many
    wrong: Mapping[tuple[str, str, str], datetime] = field(default_factory=dict)
    """Workspace, Deployment and condition that is false → since when."""
    begun: Mapping[tuple[str, str, str], datetime] = field(default_factory=dict)
    """Workspace, Deployment and kind of an operation that has not ended → when it was asked for."""
    failed: Mapping[tuple[str, str, str], datetime] = field(default_factory=dict)
    """The same of one that has failed, and no later one of its kind has succeeded → when it ended."""
    backups: Mapping[Name, datetime] = field(default_factory=dict)  # the newest whole one
    access_known: Mapping[Name, datetime] = field(default_factory=dict)
    """When the API server of a Deployment knew last that nothing had changed in who has which role."""
    workloads: Mapping[Name, WorkloadView] = field(default_factory=dict)
    controllers: Mapping[str, datetime] = field(default_factory=dict)  # cluster → its controller's last poll
    tokens: Mapping[str, datetime] = field(default_factory=dict)  # API token → when it expires


MetricDefinition = prometheus.MetricDefinition[PlatformSnapshot]


def look(db: Session, caller: Principal, *, now: datetime, version: str) -> PlatformSnapshot:
    """What the database says, in a number of queries that does not depend on how many Deployments there are; no Deployment is
    asked. Raises Refused NOT_PERMITTED unless the caller may read the organization."""
    require(caller, Permission.ORGANIZATION_GET, ORGANIZATION)
    names, phases = _deployments(db)
    running = {id for id, phase in phases.items() if phase == Phase.RUNNING}
    conditions, wrong = _conditions(db)
    reported = workloads.fresh(db, list(running), now=now)
    return PlatformSnapshot(
        version=version,
        deployments=Counter((phase, _health(conditions[id], phase)) for id, phase in phases.items()),
        wrong={(*names[id], type): since for (id, type), since in wrong.items() if id in running},
        begun=_of_deployments(names, _begun(db)),
        failed=_of_deployments(names, _failed(db, now)),
        backups={names[id]: at for id, at in _backups(db).items() if id in names},
        access_known={names[id]: at for id, at in _access_known(db).items() if id in running},
        workloads={names[id]: one for id, one in reported.items()},
        controllers=_controllers(db),
        tokens=_tokens(db, now),
    )


def text(snapshot: PlatformSnapshot) -> str:
    """Prometheus' text format."""
    return prometheus.text(METRICS, snapshot)


def _deployments(db: Session) -> tuple[dict[UUID, Name], dict[UUID, str]]:
    """Names and phases of those that have not been purged."""
    found = db.execute(
        select(Deployment.id, Deployment.phase, Deployment.name, Workspace.name)
        .join(Workspace, Workspace.id == Deployment.workspace_id)
        .where(Deployment.live_name.is_not(None))
    ).all()
    return {row[0]: (row[3], row[2]) for row in found}, {row[0]: row[1] for row in found}


def _conditions(
    db: Session,
) -> tuple[dict[UUID, dict[ConditionType, Status]], dict[tuple[UUID, str], datetime]]:
    """The conditions of each Deployment, and since when those are false that are."""
    table = DeploymentCondition
    found: dict[UUID, dict[ConditionType, Status]] = defaultdict(dict)
    wrong = {}
    for id, type, status, since in db.execute(
        select(table.deployment_id, table.type, table.status, table.since)
    ):
        found[id][ConditionType(type)] = Status(status)
        if status == Status.FALSE:
            wrong[(id, type)] = since
    return found, wrong


def _health(conditions: Mapping[ConditionType, Status], phase: str) -> str:
    return rules.health(conditions, asleep=phase == Phase.ASLEEP).value


def _begun(db: Session) -> dict[tuple[UUID, str], datetime]:
    wanted = select(Operation.deployment_id, Operation.kind, Operation.created_at)
    return {(id, kind): at for id, kind, at in db.execute(wanted.where(Operation.unfinished.is_not(None)))}


def _failed(db: Session, now: datetime) -> dict[tuple[UUID, str], datetime]:
    wanted = select(Operation.deployment_id, Operation.kind, func.max(Operation.ended_at)).group_by(
        Operation.deployment_id, Operation.kind
    )
    lately = Operation.ended_at > now - FAILED_FOR
    failed = _ends(db, wanted.where(Operation.state == State.FAILED.value, lately))
    if not failed:
        return {}
    deployments = {id for id, _ in failed}
    well = wanted.where(
        Operation.state == State.SUCCEEDED.value, lately, Operation.deployment_id.in_(deployments)
    )
    since = _ends(db, well)
    return {key: at for key, at in failed.items() if key not in since or since[key] < at}


def _ends(db: Session, wanted: Select[UUID, str, datetime | None]) -> dict[tuple[UUID, str], datetime]:
    return {(id, kind): at for id, kind, at in db.execute(wanted) if at is not None}


def _of_deployments(
    names: Mapping[UUID, Name], found: Mapping[tuple[UUID, str], datetime]
) -> dict[tuple[str, str, str], datetime]:
    return {(*names[id], kind): at for (id, kind), at in found.items() if id in names}


def _backups(db: Session) -> dict[UUID, datetime]:
    newest = select(Backup.deployment_id, func.max(Backup.created_at)).group_by(Backup.deployment_id)
    return dict(db.execute(newest.where(Backup.state == State.SUCCEEDED.value)).all())


def _access_known(db: Session) -> dict[UUID, datetime]:
    table = DeploymentWorkload
    wanted = select(table.deployment_id, table.at, table.access_age).where(table.access_age.is_not(None))
    return {id: at - timedelta(seconds=age or 0.0) for id, at, age in db.execute(wanted)}


def _controllers(db: Session) -> dict[str, datetime]:
    wanted = select(Cluster.name, ClusterController.beat_at).join(
        ClusterController, ClusterController.cluster_id == Cluster.id
    )
    return {name: at for name, at in db.execute(wanted.where(ClusterController.beat_at.is_not(None))) if at}


def _tokens(db: Session, now: datetime) -> dict[str, datetime]:
    """Those that people and scripts were given; a terminal's ends with its session. Of several with one name, the first to expire."""
    wanted = select(ApiToken.name, ApiToken.expires_at).where(
        ApiToken.deleted_at.is_(None),
        ApiToken.session_id.is_(None),
        ApiToken.expires_at > now - EXPIRED_FOR,
    )
    found: dict[str, datetime] = {}
    for name, at in db.execute(wanted.order_by(ApiToken.expires_at)):
        if at is not None:
            found.setdefault(name, at)
    return found


_Labels = TypeVar("_Labels", bound=tuple[str, ...])


def _moments(
    of: Callable[[PlatformSnapshot], Mapping[_Labels, datetime]],
) -> Callable[[PlatformSnapshot], Samples]:
    return lambda snapshot: [(labels, at.timestamp()) for labels, at in sorted(of(snapshot).items())]


def _workloads(
    values: Callable[[WorkloadView], Mapping[str, int]],
) -> Callable[[PlatformSnapshot], Samples]:
    return lambda snapshot: [
        ((*name, state), float(count))
        for name, one in sorted(snapshot.workloads.items())
        for state, count in values(one).items()
    ]


_DEPLOYMENT: Final = ("workspace", "deployment")

METRICS: Final[tuple[MetricDefinition, ...]] = (
    MetricDefinition(
        "tradewind_platform_build_info",
        "1, with the version of tradewind-platform",
        ("version",),
        lambda snapshot: [((snapshot.version,), 1.0)],
    ),
    MetricDefinition(
        "tradewind_platform_deployments",
        "Deployments that have not been purged, by what is done to them and how they are",
        ("phase", "health"),
        lambda snapshot: [(labels, float(n)) for labels, n in sorted(snapshot.deployments.items())],
    ),
    MetricDefinition(
        "tradewind_platform_condition_false_timestamp_seconds",
        "Since when a condition of a running Deployment is false; absent while it is true",
        (*_DEPLOYMENT, "condition"),
        _moments(lambda snapshot: snapshot.wrong),
    ),
    MetricDefinition(
        "tradewind_platform_operation_begun_timestamp_seconds",
        "When an operation was asked for that has not ended",
        (*_DEPLOYMENT, "kind"),
        _moments(lambda snapshot: snapshot.begun),
    ),
    MetricDefinition(
        "tradewind_platform_operation_failed_timestamp_seconds",
        "When an operation failed; for a day, or until one of its kind succeeds",
        (*_DEPLOYMENT, "kind"),
        _moments(lambda snapshot: snapshot.failed),
    ),
    MetricDefinition(
        "tradewind_platform_backup_timestamp_seconds",
        "When the newest whole backup of a Deployment was made",
        _DEPLOYMENT,
        _moments(lambda snapshot: snapshot.backups),
    ),
    MetricDefinition(
        "tradewind_platform_access_timestamp_seconds",
        "When the API server of a running Deployment last received the roles of users and tokens",
        _DEPLOYMENT,
        _moments(lambda snapshot: snapshot.access_known),
    ),
    MetricDefinition(
        "tradewind_platform_agents",
        "Agents of a running Deployment, as it has reported last; absent when it has reported nothing for 15 minutes",
        (*_DEPLOYMENT, "state"),
        _workloads(lambda one: {"healthy": one.healthy_agents, "other": one.agents - one.healthy_agents}),
    ),
    MetricDefinition(
        "tradewind_platform_tasks",
        "Work of a running Deployment that agents have, and that waits for one; absent as above",
        (*_DEPLOYMENT, "state"),
        _workloads(lambda one: {"running": one.running, "queued": one.queued}),
    ),
    MetricDefinition(
        "tradewind_platform_controller_timestamp_seconds",
        "When the controller of a cluster asked last",
        ("cluster",),
        _moments(lambda snapshot: {(name,): at for name, at in snapshot.controllers.items()}),
    ),
    MetricDefinition(
        "tradewind_platform_api_token_expiry_timestamp_seconds",
        "When an API token expires; absent for one that never does",
        ("token",),
        _moments(lambda snapshot: {(name,): at for name, at in snapshot.tokens.items()}),
    ),
)
