"""A Deployment whose purge failed is in a phase of its own, in which nothing but another purge begins."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE deployment SET phase = 'purge_failed' WHERE phase = 'failed' AND EXISTS ("
        "SELECT 1 FROM operation WHERE operation.deployment_id = deployment.id AND operation.kind = 'purge' "
        "AND operation.state = 'failed' AND NOT EXISTS ("
        "SELECT 1 FROM operation AS later WHERE later.deployment_id = deployment.id AND later.id > operation.id))"
    )
