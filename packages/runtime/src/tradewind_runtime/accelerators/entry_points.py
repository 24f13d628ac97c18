"""The entry points of installed packages, read once: every task looks in all of them for plugins."""

from __future__ import annotations


class EntryPoints:
    name = "entry_points"

    def applies(self) -> str | None:
        return None

    def install(self) -> None:
        from airflow.sdk._shared.module_loading import entry_points_with_dist

        any(entry_points_with_dist("airflow.plugins"))  # which reads, and keeps, all groups
