"""Every secret that the platform knows of a Deployment: what it shows of logs, and of what a driver says, is shown without them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import effective_configuration, secrets
from tradewind_platform.store.tables import Deployment


def of(db: Session, ring: KeyRing, row: Deployment) -> list[str]:
    """Its keys, its database's password, and what its secret variables are and were."""
    return [*secrets.of(db, ring, row.id).values(), *effective_configuration.secret_values(db, ring, row)]
