"""Clusters and their tokens."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import platform_of
from tradewind_platform.api.parameters import Limit, Offset, Reason, Reference
from tradewind_platform.api.reads import reading
from tradewind_platform.api.resources import page
from tradewind_platform.services import cluster_tokens, clusters
from tradewind_protocol.clusters import (
    ChangeCluster,
    ClusterCreated,
    ClusterTokenCreated,
    NewCluster,
    RotateClusterToken,
)
from tradewind_protocol.operator import Page
from tradewind_protocol.platform import ClusterView

router = APIRouter()


@router.get("/clusters")
def list_clusters(request: Request, limit: Limit = 100, offset: Offset = 0) -> Page[ClusterView]:
    now = platform_of(request).clock()
    with reading(request) as (db, caller):
        return page(clusters.listed(db, caller, now), limit, offset)


@router.post("/clusters", status_code=201, response_model=ClusterCreated)
def create_cluster(request: Request, ask: NewCluster, reason: Reason = "") -> Response:
    """Register a cluster. The answer has the token of its controller, which is shown this once."""
    return changes.run(
        request,
        "cluster.create",
        ask,
        lambda change: clusters.create(change, ask),
        reason=reason,
        status=201,
    )


@router.get("/clusters/{cluster}", response_model=ClusterView)
def get_cluster(request: Request, cluster: Reference) -> Response:
    now = platform_of(request).clock()
    with reading(request) as (db, caller):
        return changes.respond(clusters.get(db, caller, cluster, now))


@router.patch("/clusters/{cluster}", response_model=ClusterView)
def update_cluster(request: Request, cluster: Reference, ask: ChangeCluster, reason: Reason = "") -> Response:
    """Change the fields that are sent."""
    return changes.run(
        request, "cluster.update", ask, lambda change: clusters.update(change, cluster, ask), reason=reason
    )


@router.delete("/clusters/{cluster}", status_code=204)
def delete_cluster(request: Request, cluster: Reference, reason: Reason = "") -> Response:
    """Refused while the cluster has Deployments."""
    return changes.run(
        request,
        "cluster.delete",
        None,
        lambda change: clusters.delete(change, cluster),
        reason=reason,
        status=204,
    )


@router.post("/clusters/{cluster}/token/rotate", response_model=ClusterTokenCreated)
def rotate_cluster_token(
    request: Request, cluster: Reference, ask: RotateClusterToken, reason: Reason = ""
) -> Response:
    """A new value. The one before is good for the overlap."""
    return changes.run(
        request,
        "clusterToken.rotate",
        ask,
        lambda change: cluster_tokens.rotate(change, cluster, ask),
        reason=reason,
    )


@router.delete("/clusters/{cluster}/token", status_code=204)
def revoke_cluster_token(request: Request, cluster: Reference, reason: Reason = "") -> Response:
    """No value opens anything any more. Deployments of the cluster go on running."""
    return changes.run(
        request,
        "clusterToken.revoke",
        None,
        lambda change: cluster_tokens.revoke(change, cluster),
        reason=reason,
        status=204,
    )
