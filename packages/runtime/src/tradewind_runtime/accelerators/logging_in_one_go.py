"""Loggers of a task's process that forget once what is switched on.

Airflow configures some sixty loggers there. At each of them logging looks at all loggers, and copies them.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class LoggingInOneGo:
    name = "logging_in_one_go"

    def applies(self) -> str | None:
        from airflow.sdk.execution_time import supervisor

        if not hasattr(supervisor, "_configure_logs_over_json_channel"):
            return "this Airflow sets up the logging of tasks elsewhere"
        return None

    def install(self) -> None:
        from airflow.sdk.execution_time import supervisor

        configure = supervisor._configure_logs_over_json_channel

        @functools.wraps(configure)
        def in_one_go(*args: Any, **kwargs: Any) -> None:
            with _caches_cleared_at_the_end():
                configure(*args, **kwargs)

        supervisor._configure_logs_over_json_channel = in_one_go


@contextmanager
def _caches_cleared_at_the_end() -> Iterator[None]:
    manager: Any = logging.root.manager
    if not hasattr(manager, "_clear_cache"):
        yield
        return
    manager._clear_cache = lambda: None
    try:
        yield
    finally:
        del manager._clear_cache
        manager._clear_cache()
