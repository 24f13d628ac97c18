"""The credential by which a Deployment asks the platform: one of its secrets, of which requests are held against the hash."""

from __future__ import annotations

import hmac
import secrets as random
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.operations import GONE
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.security.token_hashes import hashed
from tradewind_platform.services import secrets
from tradewind_platform.store.access_tables import DeploymentCredential
from tradewind_platform.store.lock_order import locked
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Deployment
from tradewind_protocol.access import CREDENTIAL_PREFIX
from tradewind_protocol.errors import Code, Refused

SECRET: Final = "platform_credential"
"""The name of the secret, in a document for a driver."""


_OF_A_DEPLOYMENT: Final = (
    select(DeploymentCredential.hash, Deployment.organization_id, Deployment.name, Deployment.phase)
    .join(Deployment, Deployment.id == DeploymentCredential.deployment_id)
    .where(Deployment.id == bindparam("deployment"))
)
"""Hundreds of Deployments ask, each once a minute."""


@dataclass(frozen=True)
class KnownDeployment:
    """A Deployment that has shown its credential."""

    id: UUID
    organization: UUID
    name: str


def add(db: Session, ring: KeyRing, deployment: Deployment, *, now: datetime) -> None:
    """Give a Deployment its credential."""
    value = CREDENTIAL_PREFIX + random.token_urlsafe(32)
    secrets.add(db, ring, deployment.id, SECRET, value, organization=deployment.organization_id)
    db.add(
        DeploymentCredential(
            organization_id=deployment.organization_id,
            deployment_id=deployment.id,
            hash=hashed(value),
            created_at=now,
        )
    )


def add_missing(store: Store, ring: KeyRing, *, now: datetime) -> None:
    """Give one to each Deployment that was created before there were any. Idempotent."""
    with store.across_organizations() as db:
        have = select(DeploymentCredential.deployment_id)
        without = select(Deployment).where(Deployment.live_name.is_not(None), Deployment.id.not_in(have))
        for deployment in db.scalars(locked(without.order_by(Deployment.id))).all():
            add(db, ring, deployment, now=now)


def authenticate(store: Store, deployment: UUID, value: str) -> KnownDeployment:
    """The Deployment of a credential. Raises Refused TOKEN_UNKNOWN, also for another Deployment's and one that was deleted."""
    with store.looking() as db:
        found = db.execute(_OF_A_DEPLOYMENT, {"deployment": deployment}).first()
    known = "" if found is None else found.hash
    if not hmac.compare_digest(known, hashed(value)) or found is None or found.phase in GONE:
        raise Refused(Code.TOKEN_UNKNOWN, f"this is not the credential of the Deployment {deployment}")
    return KnownDeployment(deployment, found.organization_id, found.name)
