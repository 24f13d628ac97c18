"""What the agent's options mean in Airflow's configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

BUNDLES: Final = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
EXECUTOR: Final = "AIRFLOW__CORE__EXECUTOR"

EXECUTORS: Final = "tradewind_provider.executor.RemoteExecutor"
"""Only a name here: Airflow refuses a Dag that asks for an executor its configuration does not name."""


def apply(options: Mapping[str, Any], environ: MutableMapping[str, str] = os.environ) -> None:
    """Put `bundles` and `executors` where Airflow looks for them. Raises ValueError when `bundles` is no list."""
    if (bundles := options.get("bundles")) is not None:
        listed = json.loads(bundles) if isinstance(bundles, str) else bundles
        if not isinstance(listed, list):
            raise ValueError(
                "the agent's option 'bundles' is not a list. It has the form of Airflow's "
                "[dag_processor] dag_bundle_config_list"
            )
        if listed:
            environ[BUNDLES] = json.dumps(listed)
    if executors := options.get("executors"):
        environ[EXECUTOR] = executors if isinstance(executors, str) else ",".join(executors)
    else:
        environ.setdefault(EXECUTOR, EXECUTORS)
