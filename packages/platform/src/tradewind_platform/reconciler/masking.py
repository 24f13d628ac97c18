"""Takes secrets out of a driver's messages about a Deployment: people who may not read its logs read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from tradewind_platform.domain.component_logs import masked
from tradewind_platform.domain.health import Condition, Status
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import known_secrets
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Deployment


def without_secrets(store: Store, ring: KeyRing, deployment: UUID, text: str) -> str:
    """The text, with stars in the place of each secret that the platform knows of the Deployment."""
    with store.reading_all() as db:
        known = known_secrets.of(db, ring, db.get_one(Deployment, deployment))
    return masked([text], known)[0]


def conditions(
    db: Session, ring: KeyRing, deployment: UUID, observed: Iterable[Condition]
) -> Sequence[Condition]:
    """Conditions whose texts have no secret that the platform knows of the Deployment. Where all is well, no secret is read."""
    found = list(observed)
    if all(one.status is Status.TRUE for one in found):
        return found
    known = known_secrets.of(db, ring, db.get_one(Deployment, deployment))
    texts = masked([text for one in found for text in (one.message, one.remedy)], known)
    return [replace(one, message=texts[2 * at], remedy=texts[2 * at + 1]) for at, one in enumerate(found)]
