"""`python -m tradewind_runtime`: one component's process, started by an agent, which the first line from the agent names."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and sys.path and sys.path[0] in ("", os.getcwd()):
    # `-m` lets modules be found in the folder that the agent happens to have been started in, before all others. A Dag would
    # import what lies there; under Airflow's own commands it does not.
    del sys.path[0]

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Final

from tradewind_protocol.hosts import Configure, Problem
from tradewind_protocol.states import Component
from tradewind_runtime import environment, kernel
from tradewind_runtime.control import Control, ControlClosed

_LEAST_AIRFLOW: Final = {Component.DAG_PROCESSOR: (3, 3), Component.TRIGGERER: (3, 3)}
"""Components that need a newer Airflow than tradewind-runtime as a whole."""


def main() -> int:
    """Exit status: 0 after a stop or the agent's end, 1 when it could not work, 2 when started by hand."""
    try:
        control = Control.from_environment()
    except ControlClosed as problem:
        print(problem, file=sys.stderr)  # noqa: T201 (there is no agent to send it to)
        return 2
    try:
        configure = control.receive()
        if not isinstance(configure, Configure):
            control.send(Problem(message="the first message to a process must be its configuration"))
            return 1
        return serve(control, configure)
    except ControlClosed:
        return 0


def serve(control: Control, configure: Configure) -> int:
    """Be the component that `configure` names until told to stop. One that cannot work tells the agent why and returns 1."""
    if find_spec("airflow") is None:
        control.send(
            Problem(
                message=f"{sys.executable} has no Airflow",
                remedy="install apache-airflow-core into this task environment, of the plane's minor version",
            )
        )
        return 1
    if problem := _too_old(configure.component):
        control.send(problem)
        return 1
    try:
        # Before the first import of Airflow: it reads its configuration, and opens its database, as it is imported.
        environment.prepare(configure)
        if problem := _asks_itself():
            control.send(problem)
            return 1
        _name_process(configure)
        from tradewind_runtime.airflow import token_renewal

        helpers = token_renewal.start()
        if configure.component is not Component.WORKER:
            kernel.refuse_inspection()  # it holds a secret of the gateway, and tasks may run as the same user
        if configure.component is Component.WORKER:
            from tradewind_runtime.worker import composition

            return composition.run(control, configure, helpers) or 0
        if configure.component is Component.DAG_PROCESSOR:
            from tradewind_runtime import dag_processor

            return dag_processor.run(control, configure) or 0
        from tradewind_runtime import triggerer

        return triggerer.run(control, configure) or 0
    except ControlClosed:
        raise
    except Exception as problem:
        control.send(Problem(message=f"{type(problem).__name__}: {problem}"[:4000]))
        raise


def _too_old(component: Component) -> Problem | None:
    """Why this environment's Airflow cannot be that component. Airflow is not imported."""
    try:
        installed = version("apache-airflow-core")
    except PackageNotFoundError:
        return None  # an Airflow in parts: its first import says what is missing
    least = _LEAST_AIRFLOW.get(component, (0, 0))
    if tuple(int(part) for part in installed.split(".")[:2]) >= least:
        return None
    needed = "{}.{}".format(*least)
    return Problem(
        message=f"a {component.value.replace('_', ' ')} needs Airflow {needed}, and {sys.executable} has {installed}",
        remedy=f"name an environment with Airflow {needed} in the setting {component.value}_environment, or upgrade this one",
    )


def _asks_itself() -> Problem | None:
    """Why the secrets backend of this environment could never sign in."""
    from tradewind_runtime.airflow import secrets_backends

    found = secrets_backends.own_connection()
    return Problem(message=found, remedy=secrets_backends.OWN_CONNECTION_REMEDY) if found else None


def _name_process(configure: Configure) -> None:
    """Say in the process list which component this is, and of which agent."""
    from setproctitle import setproctitle

    setproctitle(f"tradewind {configure.component.value.replace('_', ' ')} process {configure.agent_name}")


if __name__ == "__main__":
    sys.exit(main())
