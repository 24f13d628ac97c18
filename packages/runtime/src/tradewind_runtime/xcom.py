"""The XCom backend of a site, under the name that goes into `[core] xcom_backend`."""

from __future__ import annotations

from tradewind_runtime.airflow.site_storage import ForeignReference, StorageUnavailable, ValueGone
from tradewind_runtime.airflow.xcom import SiteXComBackend

__all__ = ["ForeignReference", "SiteXComBackend", "StorageUnavailable", "ValueGone"]
