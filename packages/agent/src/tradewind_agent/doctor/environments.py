"""Can each task environment do its work? Looked at from inside: its own interpreter says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.environments import interpreter
from tradewind_agent.gateway import policy
from tradewind_agent.kits import aiotime
from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_protocol import airflow_versions
from tradewind_protocol.checks import Result, Verdict, failed
from tradewind_protocol.hosts import Configure
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import Component

MARK = "tradewind-doctor "

HEAD_START = 20.0
"""Seconds before the agent's patience ends in which an environment is to have given up what does not answer."""


async def check(examination: Examination) -> AsyncIterator[Result]:
    """One after the other: each imports Airflow, which takes a second of processor time."""
    settings = examination.settings
    dags = settings.environment_of(Component.DAG_PROCESSOR).name
    for environment in settings.task_environments:
        with_bundles = environment.name == dags and Component.DAG_PROCESSOR in settings.components
        async for result in _examine(examination, environment, bundles=with_bundles):
            yield result


async def without_bundles(settings: Settings) -> list[dict[str, str]]:
    """What each environment says of its secrets backends and stores, as documents. Fetches no bundle."""
    examination = Examination(settings)
    return [
        result.document()
        for environment in settings.task_environments
        async for result in _examine(examination, environment, bundles=False)
    ]


async def _examine(
    examination: Examination, environment: EnvironmentSettings, *, bundles: bool
) -> AsyncIterator[Result]:
    check = f"environment:{environment.name}"
    output = bytearray()
    try:
        answer = await aiotime.within(
            _asked(examination, environment, bundles, output), examination.environment_patience
        )
    except asyncio.TimeoutError:
        done = [
            _result(examination, environment, json.loads(line))
            for line in interpreter.marked(output.decode(errors="replace").rpartition("\n")[0], MARK)
        ]
        for each in done:
            yield each
        yield failed(
            check,
            f"{environment.interpreter} did not finish in {examination.environment_patience:g} s; "
            f"its last check that ended: {done[-1].check if done else 'none'}",
            "Look what it hangs on: py-spy dump, a bundle's server, a secrets backend",
        )
        return
    except OSError as error:
        yield failed(
            check,
            f"{environment.interpreter} cannot be started: {error.strerror or error}",
            "Set interpreter to the Python of an environment that has Airflow and tradewind-runtime",
        )
        return
    said = answer.marked(MARK)
    if not said:
        last = answer.last_words
        remedy = "Run the interpreter by hand and see what it prints"
        if "No module named" in last:
            remedy = f"{environment.interpreter} -m pip install tradewind-runtime apache-airflow-core"
        yield failed(check, f"{environment.interpreter}: {last}", remedy)
        return
    for line in said:
        yield _result(examination, environment, json.loads(line))


def _result(examination: Examination, environment: EnvironmentSettings, said: dict[str, str]) -> Result:
    """What an environment said of one check, under a key that no other environment has."""
    check = said["check"] if ":" in said["check"] else f"{said['check']}:{environment.name}"
    if said["check"] == "environment" and (skew := _skew(examination, said.get("airflow", ""))):
        planes = examination.about and examination.about.airflow_version
        return failed(check, f"{said['evidence']}, and the plane has Airflow {planes}", skew)
    return Result(check, Verdict(said["verdict"]), said["evidence"], said.get("remedy", ""))


def _skew(examination: Examination, theirs: str) -> str:
    planes = examination.about.airflow_version if examination.about is not None else ""
    return airflow_versions.remedy(planes) if airflow_versions.skew(theirs, planes) else ""


async def _asked(
    examination: Examination, environment: EnvironmentSettings, bundles: bool, output: bytearray
) -> interpreter.InterpreterOutput:
    settings = examination.settings
    allowed = examination.about.policy if examination.about is not None else Policy.OPEN
    rules = policy.of(settings, allowed)
    configure = Configure(
        component=Component.DAG_PROCESSOR if bundles else Component.WORKER,
        agent_name=settings.name,
        gateway="",
        secret="",
        policy=rules.policy,
        xcom=rules.xcom,
        store=rules.store,
        log_directory="",
        options={
            "state_directory": str(settings.state_dir),
            "storage": settings.storage,
            "bundles": bundles,
            "accelerators": list(settings.accelerators),
            "preload": list(environment.preload),
            "learn": environment.learn,
            "read_connections": list(examination.read.connections),
            "read_variables": list(examination.read.variables),
            "seconds": examination.environment_patience - HEAD_START,
        },
    )
    return await interpreter.ask(
        settings,
        environment,
        "tradewind_runtime.doctor",
        configure.model_dump_json(),
        on_output=output.extend,
    )
