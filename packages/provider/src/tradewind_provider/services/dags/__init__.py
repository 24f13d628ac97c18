"""Dags of sites: who speaks for a bundle (`bundles`), what is stored (`reports`), what is wanted (`news`)."""

from __future__ import annotations

from tradewind_provider.services.dags.bundles import release, session_ended

__all__ = ["release", "session_ended"]
