"""Archives of code that are sent to a platform for deploys to a Deployment of its own machine."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from tradewind_platform.domain.operations import Kind
from tradewind_platform.domain.roles import Permission, Principal
from tradewind_platform.services import clusters, deployment_lookup, operations
from tradewind_platform.services.change import Change
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_platform.store.tables import Cluster, Deployment
from tradewind_protocol.deploys import ArchiveView
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.plane_archives import PlaneArchive

Received = tuple[Path, PlaneArchive] | Refused | None
"""What was received: a file and what it holds, why it is no archive, or nothing of a caller who may not send one."""


def may_deploy(db: Session, caller: Principal, reference: str) -> bool:
    """Whether to receive what the caller sends. `keep` decides, and says why not."""
    try:
        row = deployment_lookup.found(db, caller, reference)
    except Refused:
        return False
    return caller.may(Permission.DEPLOYS_CREATE, deployment_lookup.target(row))


def keep(
    change: Change,
    archives: PlaneArchives | None,
    reference: str,
    digest: str,
    received: Received,
) -> ArchiveView:
    """Keep an archive that was received, for deploys to this Deployment. Sent again, it changes nothing."""
    row = deployment_lookup.for_change(
        change, reference, operations.permission_for(Kind.DEPLOY), own_revision=False
    )
    require_archives(change.db, row)
    if archives is None or received is None:
        raise Refused(Code.UNAVAILABLE, "this platform keeps no archives")
    if isinstance(received, Refused):
        raise received
    file, found = received
    if found.digest != digest:
        raise Refused(
            Code.MALFORMED,
            f"what was received has the digest {found.digest}, and not {digest}",
            remedy="Build it again, and send what was built.",
        )
    archives.keep(row.slug, found, file)
    change.event.changes = {"digest": digest, "airflow": found.airflow}
    return ArchiveView(digest=digest, airflow=found.airflow, python=found.python, size=found.size)


def airflow_of(archives: PlaneArchives | None, row: Deployment, digest: str) -> str:
    """The version of Airflow of an archive that is kept for the Deployment. Raises Refused NOT_FOUND."""
    found = None if archives is None else archives.read(row.slug, digest)
    if found is None:
        raise Refused(
            Code.NOT_FOUND,
            f"the platform has no archive {digest} for the Deployment {row.name!r}",
            remedy="Send it first: `tradewind project deploy plane --deployment NAME`.",
        )
    return found.airflow


def require_archives(db: Session, row: Deployment) -> None:
    """Raises Refused CONFLICT for a Deployment of a cluster with a controller: archives are files of the platform's machine."""
    cluster = db.get_one(Cluster, row.cluster_id)
    if not clusters.has_controller(db, cluster.id):
        return
    if cluster.driver == "kubernetes":
        raise Refused(
            Code.CONFLICT,
            f"the cluster of the Deployment {row.name!r} runs images, and takes no archive",
            remedy="Push an image and deploy that: `tradewind project deploy plane --registry …`.",
        )
    raise Refused(
        Code.CONFLICT,
        f"the cluster {cluster.name!r} is a machine with a controller of its own, which takes no code",
        remedy="Install the code into the environment that its --plane-python names.",
    )
