"""That a site has no plugins, known before the fork; otherwise each task's process looks for them.

Where there is a plugin each task loads it for itself: it is the owner's code, and may start threads, keep a process id or open
connections as it is loaded.
"""

from __future__ import annotations

import functools
import os
from typing import Any


class KnownPlugins:
    name = "known_plugins"

    def applies(self) -> str | None:
        from airflow import settings
        from airflow.sdk import listener
        from airflow.sdk._shared.module_loading import entry_points_with_dist
        from airflow.sdk.configuration import conf
        from airflow.sdk.execution_time import task_runner

        if not (folder := settings.PLUGINS_FOLDER):
            return "[core] plugins_folder is not set"
        if _has_something(folder):
            return f"the plugins folder {folder} is not empty"
        if names := sorted(point.name for point, _ in entry_points_with_dist("airflow.plugins")):
            return f"installed packages bring plugins: {', '.join(names)}"
        if conf.getboolean("core", "load_examples"):
            return "[core] load_examples is set"
        if not settings.LAZY_LOAD_PROVIDERS:
            return "[core] lazy_load_providers is off"
        if task_runner.get_listener_manager is not listener.get_listener_manager:
            return "this Airflow asks for listeners elsewhere"
        return None

    def install(self) -> None:
        """Have tasks know it. One that finds something in the folder loads what is there then."""
        from airflow import settings
        from airflow.sdk import listener, plugins_manager
        from airflow.sdk.execution_time import task_runner

        folder = settings.PLUGINS_FOLDER
        remembered = (
            plugins_manager._get_plugins,
            plugins_manager.integrate_macros_plugins,
            plugins_manager.get_hook_lineage_readers_plugins,
            listener.get_listener_manager,
        )
        for each in remembered:
            each()

        @functools.wraps(listener.get_listener_manager)
        def get_listener_manager() -> Any:
            if _has_something(folder):
                for each in remembered:
                    each.cache_clear()
            task_runner.get_listener_manager = listener.get_listener_manager
            return listener.get_listener_manager()

        task_runner.get_listener_manager = get_listener_manager


def _has_something(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:
        return False
