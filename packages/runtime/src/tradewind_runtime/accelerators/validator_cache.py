"""pydantic's validators of Airflow's messages: built once, before the fork.

Airflow builds them in the process of each task and of each parse, although they are always the same. One of them knows all
fifty messages a task may get, and takes longer to build than most tasks take.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import TypeAdapter


class _Used(NamedTuple):
    modules: Sequence[Any]  # that build validators
    types: Sequence[Any]  # of the validators that every process needs


def _of_tasks() -> _Used:
    from airflow.sdk.execution_time import comms, task_runner
    from pydantic import JsonValue

    return _Used((comms, task_runner), (comms.ToTask, JsonValue))


def _of_parsers() -> _Used:
    from airflow.dag_processing import processor
    from airflow.sdk.execution_time import comms

    return _Used((processor, comms), (processor.ToDagProcessor, comms.ToTask))


class ValidatorCache:
    """Of the processes of tasks, or of those that parse Dag files."""

    name = "validator_cache"

    def __init__(self, *, parsers: bool = False) -> None:
        self._used = _of_parsers if parsers else _of_tasks

    def applies(self) -> str | None:
        for module in self._used().modules:
            if getattr(module, "TypeAdapter", None) is not TypeAdapter:
                return f"this Airflow's {module.__name__} does not build its validators with pydantic.TypeAdapter"
        return None

    def install(self) -> None:
        modules, types = self._used()
        cache = _CachedTypeAdapter()
        for module in modules:
            module.TypeAdapter = cache
        for of in types:
            cache(of)


class _CachedTypeAdapter:
    """`pydantic.TypeAdapter`, except that one without options is built once for each type."""

    def __init__(self) -> None:
        self._built = functools.cache(lambda of: TypeAdapter(of))

    def __getitem__(self, _: Any) -> _CachedTypeAdapter:
        return self

    def __call__(self, of: Any, **options: Any) -> Any:
        try:
            return TypeAdapter(of, **options) if options else self._built(of)
        except TypeError:  # not hashable
            return TypeAdapter(of, **options)
