"""What Airflow builds anew in the process of each task, or of each parse, although it is always the same: built once,
before the fork.

Each of these is half a saving when a later Airflow names things differently, and never an error.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pydantic import TypeAdapter


def build_validators_once() -> None:
    """Make each pydantic validator of the task runner once: one of them knows all fifty messages a task may get, and
    takes longer to make than most tasks take."""
    from airflow.sdk.execution_time import comms, task_runner
    from pydantic import JsonValue

    _build_once((comms, task_runner), (comms.ToTask, JsonValue))


def build_a_parsers_validators_once() -> None:
    """The same for the processes that parse Dag files."""
    from airflow.dag_processing import processor
    from airflow.sdk.execution_time import comms

    _build_once((processor, comms), (processor.ToDagProcessor, comms.ToTask))


def _build_once(modules: Sequence[Any], soon: Sequence[Any]) -> None:
    once = _Once()
    for module in modules:
        if getattr(module, "TypeAdapter", None) is TypeAdapter:
            module.TypeAdapter = once
    with suppress(Exception):  # then the first process finds out what is wrong
        for of in soon:
            once(of)


class _Once:
    """`pydantic.TypeAdapter`, but that one without options is made once for each type."""

    def __init__(self) -> None:
        self._made = functools.cache(lambda of: TypeAdapter(of))

    def __getitem__(self, _: Any) -> _Once:
        return self

    def __call__(self, of: Any, **options: Any) -> Any:
        try:
            return TypeAdapter(of, **options) if options else self._made(of)
        except TypeError:  # not hashable
            return TypeAdapter(of, **options)


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
