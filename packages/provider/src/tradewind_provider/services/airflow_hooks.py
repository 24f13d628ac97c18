"""Where Airflow asks the plane, or tells it something, in a process of its own."""

from __future__ import annotations

from tradewind_provider import notifications
from tradewind_provider.airflow import assets, dag_requests, site_triggers
from tradewind_provider.services import asset_access


def install() -> None:
    """Install the hooks. Idempotent.

    API servers need them, and so do schedulers: these make triggers, end tasks that have nothing to run, and make the callbacks of
    which a site would otherwise learn seconds later.
    """
    dag_requests.install(notifications.dags_changed)
    site_triggers.install()
    assets.install(asset_access.admit, asset_access.may_reach)
