"""Clusters and Deployments, as the platform has observed them and as their gateways answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.doctor import network
from tradewind_platform.domain import token_expiry
from tradewind_platform.domain.clusters import ControllerState, controller_state
from tradewind_platform.domain.health import Status
from tradewind_platform.domain.operations import Phase
from tradewind_platform.services import (
    backups,
    cluster_work,
    clusters,
    deployment_views,
    role_holders,
    workloads,
)
from tradewind_platform.store.life_tables import DeploymentWorkload
from tradewind_platform.store.tables import Cluster, Deployment, DeploymentCondition, Operation
from tradewind_protocol.checks import Result, failed, ok, skipped, warning

_OLD_BACKUP: Final = timedelta(days=7)
_LONG: Final = timedelta(hours=1)
_OLD_ACCESS: Final = timedelta(minutes=5)
"""A replica hears of the platform every minute at the least."""


def clusters_of(db: Session, now: datetime, *, ca_file: str | None) -> Iterator[Result]:
    """The controller of each beats, and its gateway answers."""
    for row in db.scalars(select(Cluster).order_by(Cluster.name)):
        check = f"cluster:{row.name}"
        if clusters.has_controller(db, row.id):
            state = controller_state(cluster_work.controller(db, row.id).beat_at, now)
            if state is ControllerState.CONNECTED:
                yield ok(check, "its controller is connected")
            else:
                yield failed(
                    check,
                    f"its controller is {state.value}",
                    "Read the controller's log, and start it again.",
                )
        yield network.answers(
            f"gateway:{row.name}",
            network.ask(f"{row.agents_url}/", ca_file=ca_file),
            status=404,
            says="404 page not found",
            remedy="Start the gateway of the cluster, and check the name's record and the way to it.",
        )
        if (found := network.certificate(row.agents_url, now)) is not None:
            yield found


def deployments_of(db: Session, now: datetime, *, ca_file: str | None) -> Iterator[Result]:
    """What is wrong with each, as it was observed last; its route, its backups, and what waits to be applied."""
    found = select(Deployment, Cluster).join(Cluster, Cluster.id == Deployment.cluster_id)
    for row, cluster in db.execute(
        found.where(Deployment.live_name.is_not(None)).order_by(Deployment.name)
    ).all():
        check = f"deployment:{row.name}"
        yield from _operation(db, check, row, now)
        if row.phase == Phase.FAILED:
            yield failed(
                check, "its last operation failed", f"tradewind operations list --deployment {row.name}"
            )
        if row.phase == Phase.PURGE_FAILED:
            yield failed(
                check,
                "its purge failed: a part of its data is erased",
                f"tradewind operations list --deployment {row.name}; then `tradewind deployments purge {row.name}`.",
            )
        if row.phase != Phase.RUNNING:
            continue
        wrong = list(
            db.scalars(
                select(DeploymentCondition).where(
                    DeploymentCondition.deployment_id == row.id,
                    DeploymentCondition.status != Status.TRUE.value,
                )
            )
        )
        for one in wrong:
            yield failed(f"{check}:{one.type}", one.message or one.status, one.remedy or "Read its log.")
        if not wrong:
            yield ok(check, "healthy")
        url = f"{deployment_views.agent_url(cluster, row.slug)}/remote-execution/v1/readyz"
        remedy = f"Read the gateway's log, and `tradewind deployments get {row.name}`."
        yield network.answers(f"{check}:route", network.ask(url, ca_file=ca_file), status=200, remedy=remedy)
        yield _access(db, check, row, now)
        yield from _custom_roles(db, check, row, now)
        yield from _agent_tokens(db, check, row, now)
        yield _backup(db, check, row, now)


def _access(db: Session, check: str, row: Deployment, now: datetime) -> Result:
    """How old what its API server knows of roles is."""
    name, remedy = (
        f"{check}:access",
        "Read the log of its API server: it says why the platform does not answer it.",
    )
    reported = db.scalar(select(DeploymentWorkload).where(DeploymentWorkload.deployment_id == row.id))
    if reported is None:
        return skipped(name, "its API server has reported nothing yet")
    since = now - reported.at
    if since > workloads.FRESH:
        return failed(
            name,
            f"its API server reported last at {reported.at:%Y-%m-%d %H:%M} UTC: roles that were taken away since still count there",
            remedy,
        )
    if reported.access_age is None:
        return skipped(name, "its API server does not say how old its replica of access is")
    age = since + timedelta(seconds=reported.access_age)
    if reported.access_age > _OLD_ACCESS.total_seconds():
        return failed(name, f"its replica of access is {age.total_seconds():.0f} s old", remedy)
    return ok(
        name, f"its replica of access was {reported.access_age:.0f} s old, {since.total_seconds():.0f} s ago"
    )


def _custom_roles(db: Session, check: str, row: Deployment, now: datetime) -> Iterator[Result]:
    """Those who have less by a custom role than it allows, because the API server is older than custom roles."""
    reported = db.scalar(select(DeploymentWorkload).where(DeploymentWorkload.deployment_id == row.id))
    if reported is None or reported.knows_permissions:
        return
    holders = role_holders.of_custom_roles(db, row.id, now=now)
    if holders:
        yield warning(
            f"{check}:custom-roles",
            f"its API server is of a release before custom roles, and gives less than they allow: {role_holders.in_words(holders)}",
            "Bring its tradewind-provider to the platform's release.",
        )


def _agent_tokens(db: Session, check: str, row: Deployment, now: datetime) -> Iterator[Result]:
    """An agent token that agents use and that is near its end, or past it."""
    tokens = workloads.expiring_tokens(db, [row.id]).get(row.id, ())
    found = token_expiry.condition(row.name, tokens, now)
    if found is not None:
        say = warning if found.status is Status.TRUE else failed
        yield say(f"{check}:{found.type.value}", found.message, found.remedy)


def _operation(db: Session, check: str, row: Deployment, now: datetime) -> Iterator[Result]:
    running = db.scalar(select(Operation).where(Operation.unfinished == row.id))
    if running is not None and now - running.created_at > _LONG:
        yield warning(
            f"{check}:operation",
            f"{running.kind} has not ended since {running.created_at:%Y-%m-%d %H:%M} UTC",
            f"tradewind operations get {running.id}; `cancel` ends it.",
        )
    if running is None and row.phase == Phase.RUNNING and row.revision != row.observed_revision:
        yield warning(
            f"{check}:drift",
            f"it runs revision {row.observed_revision}, and {row.revision} was asked for",
            f"tradewind environment apply {row.name}",
        )


def _backup(db: Session, check: str, row: Deployment, now: datetime) -> Result:
    last = backups.last_success(db, row.id)
    remedy = f"tradewind deployments maintenance {row.name} --backups '0 1 * * *'"
    if last is None:
        return warning(f"{check}:backup", "there is none", remedy)
    if now - last > _OLD_BACKUP:
        return warning(f"{check}:backup", f"the newest is {(now - last).days} days old", remedy)
    return ok(f"{check}:backup", f"the newest is of {last:%Y-%m-%d %H:%M} UTC")
