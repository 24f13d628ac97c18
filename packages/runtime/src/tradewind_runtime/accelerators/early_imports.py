"""Modules of Airflow itself that nearly every task, and nearly every Dag file, imports sooner or later: imported once,
before the fork."""

from __future__ import annotations

import importlib
from contextlib import suppress

NEEDED_SOON = (
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
"""One that a version lacks is passed over."""


def import_what_is_needed_soon() -> None:
    """Starts no thread."""
    for name in NEEDED_SOON:
        with suppress(ImportError):
            importlib.import_module(name)
