"""Clusters: where Deployments run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import clusters as rules
from tradewind_platform.domain import ids
from tradewind_platform.domain.clusters import controller_state
from tradewind_platform.domain.operations import Phase
from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal
from tradewind_platform.services import cluster_lookup, cluster_tokens, workspaces
from tradewind_platform.services.change import Change
from tradewind_platform.services.references import id_of, uuid_of
from tradewind_platform.store.cluster_tables import (
    ClusterController,
    ClusterDocument,
    ClusterTask,
    ClusterToken,
    ClusterWorkspace,
)
from tradewind_platform.store.lock_order import locked
from tradewind_platform.store.tables import Cluster, Deployment, Workspace
from tradewind_protocol.clusters import ChangeCluster, ClusterCreated, NewCluster
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import ClusterView, ControllerView, DnsRecord


def create(change: Change, ask: NewCluster) -> ClusterCreated:
    """Register a cluster, with a token for its controller."""
    change.event.target = f"cluster:{ask.name}"
    change.require(Permission.CLUSTERS_UPDATE, ORGANIZATION)
    _refuse_taken(change.db, ask.name)
    allowed = workspaces.found_all(change.db, change.caller, ask.workspaces)
    slug = ids.new_cluster_slug()
    row = Cluster(
        slug=slug,
        name=ask.name,
        driver=ask.driver,
        region=ask.region.strip(),
        agents_url=rules.agents_url(ask.scheme, slug, ask.agents_host),
        people_url=rules.people_url(ask.scheme, slug, ask.people_domain),
        created_at=change.now,
        revision=1,
    )
    change.db.add(row)
    change.db.flush()
    change.db.add(ClusterController(cluster_id=row.id, steps={}, undo={}, facts={}))
    _allow(change, row, allowed)
    token = cluster_tokens.add(change.db, row, by=change.caller.name, now=change.now)
    change.event.changes = {"driver": [None, ask.driver], "token": "changed"}
    change.db.flush()
    return ClusterCreated(**view(change.db, row, change.now).model_dump(), token=token)


def update(change: Change, reference: str, ask: ChangeCluster) -> ClusterView:
    _may_change(change, reference)
    # Workspaces are locked before the cluster: store/lock_order.py.
    allowed = workspaces.found_all(change.db, change.caller, ask.workspaces or ())
    row = _for_change(change, reference)
    if "name" in ask.model_fields_set and ask.name != row.name:
        _refuse_taken(change.db, ask.name)
        change.event.changes["name"] = [row.name, ask.name]
        row.name = ask.name
    if "region" in ask.model_fields_set and (region := ask.region.strip()) != row.region:
        change.event.changes["region"] = [row.region, region]
        row.region = region
    if "workspaces" in ask.model_fields_set:
        before, after = _allow(change, row, allowed)
        if before != after:
            change.event.changes["workspaces"] = [sorted(map(str, before)), sorted(map(str, after))]
    if change.event.changes:
        row.revision += 1
    change.db.flush()
    return view(change.db, row, change.now)


def delete(change: Change, reference: str) -> None:
    """Refused while it has Deployments, and for the platform's own machine. Its token ends with it, and no workspace has it as its
    default cluster any more."""
    _may_change(change, reference)
    with_default = _lock_workspaces_with_default(change.db, reference)
    row = _for_change(change, reference)
    if cluster_lookup.controller_of(change.db, row) is None:
        raise Refused(Code.CONFLICT, f"the cluster {row.name!r} is the platform's own machine")
    found = list(change.db.scalars(select(Deployment).where(Deployment.cluster_id == row.id)))
    if left := sorted(one.name for one in found if one.phase != Phase.PURGED):
        raise Refused(
            Code.CONFLICT,
            f"the cluster {row.name!r} has Deployments: {', '.join(left)}",
            remedy="Delete and purge them first.",
        )
    if found:
        raise Refused(
            Code.CONFLICT,
            f"the cluster {row.name!r} has the history of {len(found)} purged Deployments",
            remedy="Revoke its token, so that no controller connects: `tradewind clusters revoke-token NAME`.",
        )
    for workspace in change.db.scalars(select(Workspace).where(Workspace.default_cluster_id == row.id)).all():
        if workspace not in with_default:
            raise Refused(
                Code.CONFLICT,
                f"the cluster {row.name!r} became the default one of the workspace {workspace.name!r} at the same moment",
                remedy="Repeat the request where it is still wanted.",
            )
        workspace.default_cluster_id = None
        workspace.revision += 1
        workspace.updated_at, workspace.updated_by = change.now, change.caller.name
        change.event.changes.setdefault("default_of", []).append(workspace.name)
    for table in (ClusterToken, ClusterWorkspace, ClusterTask, ClusterDocument, ClusterController):
        for one in change.db.scalars(select(table).where(table.cluster_id == row.id)):
            change.db.delete(one)
    change.db.flush()
    change.db.delete(row)


def listed(db: Session, caller: Principal, now: datetime) -> list[ClusterView]:
    _require_get(caller)
    return [view(db, row, now) for row in db.scalars(select(Cluster).order_by(Cluster.name))]


def get(db: Session, caller: Principal, reference: str, now: datetime) -> ClusterView:
    _require_get(caller)
    return view(db, cluster_lookup.found(db, reference), now)


def view(db: Session, row: Cluster, now: datetime) -> ClusterView:
    controller = cluster_lookup.controller_of(db, row)
    running = (
        select(func.count())
        .select_from(Deployment)
        .where(Deployment.cluster_id == row.id, Deployment.phase != Phase.PURGED.value)
    )
    return ClusterView(
        id=row.id,
        slug=row.slug,
        name=row.name,
        driver=row.driver,
        region=row.region,
        agents_url=row.agents_url,
        people_url=row.people_url,
        created_at=row.created_at,
        revision=row.revision,
        controller=None
        if controller is None
        else ControllerView(
            state=controller_state(controller.beat_at, now).value,
            version=controller.version,
            last_beat_at=controller.beat_at,
            facts=controller.facts,
            sizes=tuple(controller.sizes or ()),
        ),
        workspaces=tuple(sorted(cluster_lookup.workspaces_of(db, row))),
        deployments=db.scalar(running) or 0,
        dns_records=tuple(
            DnsRecord(name=one.name, purpose=one.purpose)
            for one in rules.dns_names(row.agents_url, row.people_url)
        ),
        check=rules.gateway_check(row.agents_url),
        token_prefix=cluster_tokens.view(db, row).prefix,
    )


def require_size(db: Session, cluster: Cluster, size: str) -> None:
    """Raises Refused NOT_FOUND for a size that the cluster does not have. Empty is its usual one, and is always there."""
    controller = cluster_lookup.controller_of(db, cluster)
    named = [] if controller is None else controller.sizes or []
    if size and size not in named:
        raise Refused(
            Code.NOT_FOUND,
            f"the cluster {cluster.name!r} has no size {size!r}",
            remedy=f"It has: {', '.join(named) or 'none'}. Its owner names sizes in `plane.sizes` of its controller's chart.",
        )


def has_controller(db: Session, cluster: UUID) -> bool:
    """Whether a controller does the work of the cluster, and not the platform itself."""
    return db.scalar(select(ClusterController.id).where(ClusterController.cluster_id == cluster)) is not None


@dataclass(frozen=True)
class Home:
    """The directory that has the Deployments of the platform's own machine."""

    id: UUID
    place: str  # for people


def has_only_controllers(db: Session) -> bool:
    """Whether no Deployment is on a platform's own machine."""
    with_controller = select(ClusterController.cluster_id)
    own = select(Deployment.id).where(
        Deployment.live_name.is_not(None), Deployment.cluster_id.not_in(with_controller)
    )
    return db.scalar(own.limit(1)) is None


def ensure(
    db: Session,
    name: str,
    *,
    driver: str,
    agents_url: str,
    people_url: str,
    slug: str,
    now: datetime,
    home: Home | None = None,
    replaces_home: bool = False,
) -> Cluster:
    """The cluster of that name, with these addresses. The platform itself does its work, in the directory `home`.

    Raises Refused CONFLICT when it has another one that `home` does not replace: each of two platforms would start every Deployment.
    """
    row = db.scalar(select(Cluster).where(Cluster.name == name))
    if row is None:
        row = Cluster(
            slug=slug, name=name, driver=driver, agents_url="", people_url="", created_at=now, revision=0
        )
        db.add(row)
    if home is not None:
        if row.home_id not in (None, home.id) and not replaces_home:
            raise Refused(
                Code.CONFLICT,
                f"the database is that of a platform whose Deployments are in {row.home}, and those of this one are in "
                f"{home.place}: both would start each Deployment",
                remedy="Start it with that directory as --home, with --no-local-cluster to serve the API and clusters with "
                "controllers, or with a database of its own. If that directory is lost, start it once with --replace-home.",
            )
        row.home_id, row.home = home.id, home.place
    if (row.agents_url, row.people_url) != (agents_url, people_url):
        row.agents_url, row.people_url = agents_url, people_url
        row.revision += 1
    return row


def _require_get(caller: Principal) -> None:
    if not caller.may(Permission.CLUSTERS_GET, ORGANIZATION):
        raise Refused(
            Code.NOT_PERMITTED,
            f"{caller.name} may not see the organization's clusters with their controllers",
            remedy="Those that a workspace may use: `tradewind clusters list --workspace NAME`.",
            permission=Permission.CLUSTERS_GET.value,
        )


def _allow(
    change: Change, row: Cluster, wanted: Collection[UUID]
) -> tuple[Collection[UUID], Collection[UUID]]:
    """Let these workspaces use it. Returns those that may, before and after."""
    before = cluster_lookup.workspaces_of(change.db, row)
    for one in change.db.scalars(select(ClusterWorkspace).where(ClusterWorkspace.cluster_id == row.id)):
        if one.workspace_id not in wanted:
            change.db.delete(one)
    for id in set(wanted) - before:
        change.db.add(ClusterWorkspace(cluster_id=row.id, workspace_id=id))
    return before, wanted


def _may_change(change: Change, reference: str) -> None:
    change.event.target = f"cluster:{reference}"
    change.require(Permission.CLUSTERS_UPDATE, ORGANIZATION)


def _lock_workspaces_with_default(db: Session, reference: str) -> Collection[Workspace]:
    """The workspaces that have the cluster as their default one, locked before the cluster is: `store/lock_order.py`."""
    id = id_of(db, Cluster, reference, Cluster.name)
    if id is None:
        return ()
    found = select(Workspace).where(Workspace.default_cluster_id == id).order_by(Workspace.id)
    return db.scalars(locked(found)).all()


def _for_change(change: Change, reference: str) -> Cluster:
    row = cluster_lookup.found(change.db, reference)
    change.event.target = f"cluster:{row.name}"
    change.expect(row.revision, f"the cluster {row.name!r}")
    return row


def _refuse_taken(db: Session, name: str) -> None:
    if uuid_of(name) is not None:
        raise Refused(Code.MALFORMED, f"{name!r} has the form of an id", remedy="Choose another name.")
    if id_of(db, Cluster, name, Cluster.name) is not None:
        raise Refused(Code.CONFLICT, f"there is a cluster {name!r} already", remedy="Choose another name.")
