"""The XCom backend of a site, under the name that goes into `[core] xcom_backend`."""

from __future__ import annotations

from tradewind_runtime.seams.site_storage import ForeignReference, ValueGone
from tradewind_runtime.seams.xcom import SiteXComBackend

__all__ = ["ForeignReference", "SiteXComBackend", "ValueGone"]
