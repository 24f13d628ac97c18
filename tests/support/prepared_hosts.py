"""What imports Airflow at a site, forked from a process that has imported it in the same environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from support import directories, forked
from tradewind_protocol.hosts import CONTROL_FD, Configure
from tradewind_protocol.states import Component

AIRFLOW: Final = """
import os, sys
from tradewind_runtime import environment
environment.without_database(os.environ)
from tradewind_runtime.airflow import process
process.import_airflow_without_database()
process.complete_the_models()
import airflow.sdk.execution_time
del sys.modules["airflow.sdk.execution_time.xcom"], airflow.sdk.execution_time.xcom
"""
"""What programs are prepared by that make an environment ready themselves: its Airflow is imported, and nothing is set. The
module that chooses a backend for XCom as it is imported is left to them."""

_IMPORTS: Final = {
    Component.DAG_PROCESSOR: (
        "tradewind_runtime.dag_processor",
        "tradewind_runtime.airflow.dags",
        "tradewind_runtime.airflow.execution_client",
        "tradewind_runtime.airflow.stale_clones",
    ),
    Component.TRIGGERER: ("tradewind_runtime.triggerer", "tradewind_runtime.airflow.triggers"),
    Component.WORKER: ("tradewind_runtime.worker.composition",),
}
_LATER: Final = (
    *("AIRFLOW_CONN_", "AIRFLOW_VAR_", "AIRFLOW__COMMON_IO__", "AIRFLOW__DAG_PROCESSOR__"),
    *("AIRFLOW__SECRETS__", "AIRFLOW__TRADEWIND__", "AIRFLOW__TRIGGERER__", "AIRFLOW__WORKERS__"),
)
"""How the variables begin that Airflow looks at when it needs them, and not as it is imported."""
_PROGRAM: Final = """
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure.model_validate_json({configure!r}))
import {imports}
"""


def run(
    program: str, *arguments: str, given: str = "", timeout: float = 60, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A program that makes an environment ready itself, as of `forked.run`, in a process with an Airflow that is configured by
    `variables` alone. All such processes are forked from one: Airflow looks at variables when it needs what they say, but for
    the few that name its files and how it logs."""
    return forked.run(
        program,
        *arguments,
        env=environment(),
        also=variables,
        given=given,
        timeout=timeout,
        prepared=AIRFLOW,
    )


def run_module(module: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """As `run`, for `python -m module`."""
    return run(f"import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)", **options)


def python(file: Path) -> Path:
    """Make `file` the interpreter of such an environment, as `forked.python` does."""
    return forked.python(file, env=environment(), prepared=AIRFLOW)


def environment() -> dict[str, str]:
    """The variables of an environment that nobody has configured. Its home is the same for all tests of this process."""
    home = str(directories.kept("prepared"))
    return {"PATH": os.environ["PATH"], "HOME": home, "AIRFLOW_HOME": home}


def start(env: Mapping[str, str], configure: Configure, *, control: int, output: int) -> forked.Process:
    """A process that has `control` as its control socket, where it is to hear `configure`.

    It prepares itself as any does, which takes little where another has done it: once for all tests with the same variables and
    the same configuration, but for what no module looks at as it is imported. That one is forked from a process with an Airflow
    that was imported with what Airflow looks at then.
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
        after=(AIRFLOW, _looked_at_by_an_import(env, configure)),
    )


def _looked_at_by_an_import(env: Mapping[str, str], configure: Configure) -> dict[str, str]:
    logs = {"AIRFLOW__LOGGING__BASE_LOG_FOLDER": configure.log_directory} if configure.log_directory else {}
    return {name: value for name, value in {**env, **logs}.items() if not name.startswith(_LATER)}
