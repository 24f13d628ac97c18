"""Modules of Airflow's that nearly every task or Dag file imports sooner or later: imported once, before the fork."""

from __future__ import annotations

import importlib
from typing import Final

import structlog

log = structlog.get_logger(__name__)

MODULES: Final = (
    "airflow.dag_processing.bundles.local",
    "airflow.providers.common.io.assets.file",
    "airflow.providers.standard.decorators.bash",
    "airflow.providers.standard.decorators.branch_python",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.decorators.short_circuit",
    "airflow.providers.standard.operators.bash",
    "airflow.providers.standard.operators.empty",
    "airflow.providers.standard.operators.python",
    "airflow.sdk._shared.logging.factory",
    "airflow.sdk._shared.logging.remote",
    "airflow.sdk.bases.sensor",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.definitions.decorators.setup_teardown",
    "airflow.sdk.definitions.decorators.task_group",
    "airflow.sdk.lineage",
    "airflow.version",
    "jinja2.ext",
    "upath.implementations.local",
)
"""One that is not installed is skipped."""

OF_TASKS: Final = (
    "airflow.dag_processing.bundles.manager",
    "airflow.dag_processing.dagbag",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.execution_time.callback_supervisor",
    "airflow.sdk.execution_time.connection_test_supervisor",
    "airflow.sdk.execution_time.coordinator",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.xcom",
    "setproctitle",
)
"""What every attempt needs besides."""


class EarlyImports:
    name = "early_imports"

    def __init__(self, modules: tuple[str, ...] = MODULES) -> None:
        self._modules = modules

    def applies(self) -> str | None:
        return None

    def install(self) -> None:
        for name in self._modules:
            try:
                importlib.import_module(name)
            except ImportError as missing:
                log.debug("A module is not imported early", module=name, reason=str(missing))
