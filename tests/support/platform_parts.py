"""What tests of the platform make by hand: the time, and organizations."""

from __future__ import annotations

from datetime import datetime, timezone
from uuid import UUID

from tradewind_platform.domain.ids import new_id
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Organization

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def new_organization(store: Store, name: str) -> UUID:
    """The id of a new organization."""
    id = new_id()
    with store.across_organizations() as db:
        db.add(Organization(id=id, organization_id=id, name=name, created_at=NOW))
    return id
