"""What Airflow builds anew in the process of each task although it is always the same: built once, before the fork.

Each of these is half a saving when a later Airflow names things differently, and never an error.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


def build_validators_once() -> None:
    """Make each pydantic validator of the task runner once: one of them knows all fifty messages a task may get, and
    takes longer to make than most tasks take."""
    from airflow.sdk.execution_time import comms, task_runner
    from pydantic import JsonValue, TypeAdapter

    made = functools.cache(lambda of: TypeAdapter(of))
    for module in (comms, task_runner):
        if getattr(module, "TypeAdapter", None) is TypeAdapter:
            module.TypeAdapter = _hashable_or(made, TypeAdapter)
    with suppress(Exception):  # then the first task finds out what is wrong
        made(comms.ToTask)
        made(JsonValue)


def _hashable_or(made: Callable[[Any], Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    def build(of: Any, **options: Any) -> Any:
        try:
            return otherwise(of, **options) if options else made(of)
        except TypeError:
            return otherwise(of, **options)

    return build


def configure_logging_in_one_go() -> None:
    """Have the loggers of a task's process forget once what is switched on, and not once for each of some sixty loggers
    that are configured: each time all of them are looked at, and copied."""
    from airflow.sdk.execution_time import supervisor

    configure = getattr(supervisor, "_configure_logs_over_json_channel", None)
    if configure is None:
        return

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
