"""What installs the packages of code that was deployed to this machine."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind.embedded import environments
from tradewind_platform.local.settings import LOCAL
from tradewind_platform.store.deploy_tables import Deploy
from tradewind_platform.store.tables import Cluster, Deployment
from tradewind_protocol.checks import Result, failed, ok, skipped

_CHECK = "uv"


def installer(db: Session) -> Result:
    """Whether uv is on this machine, where a Deployment of it has code that was deployed."""
    deployed = (
        select(Deploy.id)
        .join(Deployment, Deployment.id == Deploy.deployment_id)
        .join(Cluster, Cluster.id == Deployment.cluster_id)
        .where(Cluster.name == LOCAL, Deploy.digest != "", Deployment.live_name.is_not(None))
    )
    if db.scalar(deployed.limit(1)) is None:
        return skipped(_CHECK, "no code was deployed to a Deployment of this machine")
    program = environments.uv_program()
    if program is None:
        return failed(
            _CHECK,
            "uv is not on this machine, and it installs the packages of deployed code",
            "pip install uv, in the environment of the platform or below /usr/local.",
        )
    return ok(_CHECK, f"{program} installs the packages of deployed code")
