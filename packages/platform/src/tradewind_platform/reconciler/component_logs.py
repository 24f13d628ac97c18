"""The last lines that a component of a Deployment has written, for callers who may read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from tradewind_platform.domain.component_logs import Component, masked
from tradewind_platform.domain.operations import Phase
from tradewind_platform.domain.roles import Permission, Principal
from tradewind_platform.reconciler.documents import document_of
from tradewind_platform.reconciler.driver import LogReader
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import clusters, deployment_lookup, known_secrets
from tradewind_platform.services.change import require
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Cluster, Deployment
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform_life import ComponentLogView


@dataclass(frozen=True)
class ComponentLogs:
    """Reads logs on the platform's own machine. Those of a cluster with a controller stay in that cluster."""

    store: Store
    ring: KeyRing = field(repr=False)
    readers: Mapping[str, LogReader]
    """By the driver of a cluster. Empty in a process on whose machine no Deployment runs."""

    def read(
        self, organization: UUID, caller: Principal, reference: str, name: str, count: int
    ) -> ComponentLogView:
        """At most `count` lines, without the secrets that the platform knows of. Changes nothing. Raises Refused: NOT_FOUND for what is
        no component and for a log without lines, CONFLICT where no log can be read, UNAVAILABLE in a process on another machine."""
        with self.store.reading(organization) as db:
            row = deployment_lookup.found(db, caller, reference)
            # Code of the Deployment writes what it likes there, values of its configuration too.
            require(caller, Permission.CONFIG_VALUES_GET, deployment_lookup.target(row))
            component = _component(row, name)
            if row.phase == Phase.PURGED:
                raise Refused(
                    Code.CONFLICT, f"the Deployment {row.name!r} is purged, and its logs were erased with it"
                )
            cluster = db.get_one(Cluster, row.cluster_id)
            if clusters.has_controller(db, cluster.id):
                raise _in_its_cluster(row, cluster, component, count)
            reader = self.readers.get(cluster.driver)
            if reader is None:
                raise _on_another_machine(row, cluster)
            document = document_of(db, self.ring, row, cluster)
            secrets = known_secrets.of(db, self.ring, row)
        log = reader.last_lines(document, component, count)
        return ComponentLogView(
            component=component.value, lines=tuple(masked(log.lines, secrets)), source=log.source
        )


def _component(row: Deployment, name: str) -> Component:
    try:
        return Component(name)
    except ValueError:
        raise Refused(
            Code.NOT_FOUND,
            f"the Deployment {row.name!r} has no component {name!r}",
            remedy=f"Its components are {', '.join(one.value for one in Component)}.",
        ) from None


def _in_its_cluster(row: Deployment, cluster: Cluster, component: Component, count: int) -> Refused:
    if cluster.driver == "kubernetes":
        label = "migration" if component is Component.MIGRATE else component.value
        own = f"app.kubernetes.io/instance={row.slug}"
        remedy = (
            f"Run `kubectl logs -n tradewind-{row.slug} -l {own},app.kubernetes.io/component={label} --tail={count}`. Where "
            f"the controller was given other namespaces, `kubectl get pods -A -l {own}` names the Deployment's."
        )
    else:
        remedy = (
            f"On the machine of its controller, read the log of {component.value} in deployments/{row.slug}/logs "
            "below the controller's --home."
        )
    return Refused(
        Code.CONFLICT,
        f"the logs of the Deployment {row.name!r} stay in its cluster {cluster.name!r}: no log comes to the platform",
        remedy=remedy,
    )


def _on_another_machine(row: Deployment, cluster: Cluster) -> Refused:
    return Refused(
        Code.UNAVAILABLE,
        f"the logs of the Deployment {row.name!r} are not on the machine of the platform process that answers, but in "
        f"{cluster.home or 'the directory of another process'}",
        remedy=f"Ask the platform process on that machine by its own address, or read deployments/{row.slug}/logs there.",
    )
