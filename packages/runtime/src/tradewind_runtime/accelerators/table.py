"""Every accelerator there is, by the process that uses it, in the order of its installation."""

from __future__ import annotations

from typing import Final, NamedTuple

from tradewind_protocol.hosts import Configure
from tradewind_runtime.accelerators.child_exit_notification import (
    ChildExitNotification,
    ParserExitNotification,
)
from tradewind_runtime.accelerators.early_imports import MODULES, OF_TASKS, EarlyImports
from tradewind_runtime.accelerators.first_uses import FirstUses
from tradewind_runtime.accelerators.immortal_objects import ImmortalObjects
from tradewind_runtime.accelerators.libraries import PreloadedLibraries
from tradewind_runtime.accelerators.prepared_logging import PreparedLogging
from tradewind_runtime.accelerators.secrets_reader import SecretsReader
from tradewind_runtime.accelerators.shared_heap import SharedHeap
from tradewind_runtime.accelerators.supervisor_reuse import SupervisorReuse
from tradewind_runtime.accelerators.switch import Switch
from tradewind_runtime.accelerators.validator_cache import ValidatorCache


class OfWorker(NamedTuple):
    """The worker process's."""

    early_imports: EarlyImports
    validator_cache: ValidatorCache
    child_exit_notification: ChildExitNotification
    first_uses: FirstUses
    supervisor_reuse: SupervisorReuse
    preloaded_libraries: PreloadedLibraries
    prepared_logging: PreparedLogging
    secrets_reader: SecretsReader
    immortal_objects: ImmortalObjects
    shared_heap: SharedHeap


def of_worker(configure: Configure) -> OfWorker:
    options = configure.options
    return OfWorker(
        EarlyImports(MODULES + OF_TASKS),
        ValidatorCache(),
        ChildExitNotification(),
        FirstUses(),
        SupervisorReuse(),
        PreloadedLibraries(named=options.get("preload", ()), learn=bool(options.get("learn", True))),
        PreparedLogging(),
        SecretsReader(cached=float(options.get("secrets_cache_seconds") or 0)),
        ImmortalObjects(),
        SharedHeap(),
    )


class OfDagProcessor(NamedTuple):
    """The dag processor process's."""

    early_imports: EarlyImports
    validator_cache: ValidatorCache
    prepared_logging: PreparedLogging
    child_exit_notification: ParserExitNotification


def of_dag_processor() -> OfDagProcessor:
    return OfDagProcessor(
        EarlyImports(), ValidatorCache(parsers=True), PreparedLogging(), ParserExitNotification()
    )


NAMES: Final = frozenset({*OfWorker._fields, *OfDagProcessor._fields})


def switch(configure: Configure) -> Switch:
    """The switch of a process, which logs names of the setting that are no accelerator's."""
    made = Switch(configure.options.get("accelerators", "all"), process=configure.component.value)
    made.warn_of_unknown(NAMES)
    return made
