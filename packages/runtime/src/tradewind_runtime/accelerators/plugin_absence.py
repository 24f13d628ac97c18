"""Airflow's plugins, on a site that has none."""

from __future__ import annotations

import functools
import os
from contextlib import suppress
from typing import Any


def know_that_there_are_none() -> None:
    """Where nothing that is installed brings a plugin and the plugins folder is empty, have tasks know it beforehand;
    otherwise each task's process goes on loading them for itself. One that looks when the folder is no longer empty
    loads what is there then.

    Call it before the fork. If a later Airflow names things differently, this changes nothing.
    """
    from airflow import settings
    from airflow.sdk import listener, plugins_manager
    from airflow.sdk._shared.module_loading import entry_points_with_dist
    from airflow.sdk.configuration import conf
    from airflow.sdk.execution_time import task_runner

    remembered = (
        plugins_manager._get_plugins,
        plugins_manager.integrate_macros_plugins,
        plugins_manager.get_hook_lineage_readers_plugins,
        listener.get_listener_manager,
    )
    folder = settings.PLUGINS_FOLDER
    if (
        not folder
        or _has_something(folder)
        or conf.getboolean("core", "load_examples")
        or not settings.LAZY_LOAD_PROVIDERS
        or any(entry_points_with_dist("airflow.plugins"))
        or task_runner.get_listener_manager is not listener.get_listener_manager
    ):
        return
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
    with suppress(OSError), os.scandir(folder) as entries:
        return any(True for _ in entries)
    return False
