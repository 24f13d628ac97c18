"""The state store backend of a site, under the name that goes into `[workers] state_store_backend`."""

from __future__ import annotations

from tradewind_runtime.airflow.state_store import SiteStateStoreBackend

__all__ = ["SiteStateStoreBackend"]
