"""What Alembic runs, on the connection that `store.migration` gives it."""

from __future__ import annotations

from alembic import context

from tradewind_platform.store import (  # noqa: F401 - importing them fills the MetaData
    access_tables,
    address_tables,
    deploy_tables,
    people_tables,
    scim_tables,
    sso_tables,
    tables,
    team_tables,
)
from tradewind_platform.store.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
