"""What imports Airflow at a site, forked from a process that has imported it in the same environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from support import forked
from tradewind_protocol.hosts import CONTROL_FD, Configure
from tradewind_protocol.states import Component

AIRFLOW: Final = """
import os
from tradewind_runtime import environment
environment.without_database(os.environ)
from tradewind_runtime.airflow import process
process.import_airflow_without_database()
process.complete_the_models()
from airflow.dag_processing import processor
from airflow.sdk import Connection, Variable, log
from airflow.sdk.execution_time import comms, supervisor, task_runner
import tradewind_runtime.airflow.secrets_backends, tradewind_runtime.airflow.site_settings
"""
"""What programs are prepared by that make an environment ready themselves: its Airflow is imported, and nothing is set."""

_IMPORTS: Final = {
    Component.DAG_PROCESSOR: (
        "tradewind_runtime.dag_processor",
        "tradewind_runtime.airflow.dags",
        "tradewind_runtime.airflow.execution_client",
        "tradewind_runtime.airflow.stale_clones",
    ),
    Component.TRIGGERER: ("tradewind_runtime.triggerer", "tradewind_runtime.airflow.triggers"),
    Component.WORKER: ("tradewind_runtime.worker.prefork",),
}
_PROGRAM: Final = """
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure.model_validate_json({configure!r}))
import {imports}
"""


def start(env: Mapping[str, str], configure: Configure, *, control: int, output: int) -> forked.Process:
    """A process that has `control` as its control socket, where it is to hear `configure`.

    It prepares itself as any does, which takes little where another has done it: once for all tests with the same variables and
    the same configuration, but for what no module looks at as it is imported.
    """
    options = {name: value for name, value in configure.options.items() if name != "bundles"}
    common = configure.model_copy(update={"secret": "", "gateway": "/gateway", "options": options})
    program = _PROGRAM.format(
        configure=common.model_dump_json(), imports=", ".join(_IMPORTS[configure.component])
    )
    return forked.Process(
        "tradewind_runtime",
        env=env,
        also={CONTROL_FD: str(control)},
        pass_fds=[control],
        output=output,
        prepared=program,
    )
