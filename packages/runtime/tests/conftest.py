"""Fixtures of several files of the runtime's tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import prepared_hosts
from support.forked import Conversation

_EVALUATES = """
import json, os, sys
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure(component="worker", agent_name="a", gateway="/g", secret="", **json.loads(sys.argv[1])))
{probe}
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    if (pid := os.fork()) == 0:
        answers.write(json.dumps(eval(json.loads(line))) + "\\n")
        answers.flush()
        os._exit(0)
    if os.waitpid(pid, 0)[1] != 0:
        sys.exit("it failed")
"""


class Probes:
    """Processes that were prepared as a host is, by what they were configured with. Each expression is evaluated in a fork
    of one, as a host forks its tasks: what one leaves in memory is not there for the next."""

    def __init__(self) -> None:
        self._started: dict[str, Conversation] = {}

    def evaluate(
        self, probe: str, expression: str, *, environ: dict[str, str], configure: dict[str, Any]
    ) -> Any:
        key = json.dumps([probe, environ, configure], sort_keys=True)
        if key not in self._started:
            own_files = "AIRFLOW_HOME" in environ  # are read as Airflow is imported
            self._started[key] = Conversation(
                _EVALUATES.format(probe=probe),
                json.dumps(configure),
                env=prepared_hosts.environment(),
                also=environ,
                prepared="" if own_files else prepared_hosts.AIRFLOW,
            )
        return json.loads(self._started[key].ask(json.dumps(expression)))

    def close(self) -> None:
        for each in self._started.values():
            each.close()


@pytest.fixture(scope="module")
def probes() -> Iterator[Probes]:
    made = Probes()
    yield made
    made.close()


@pytest.fixture
def probing(probes: Probes) -> Callable[..., Any]:
    """Runs a probe, a program that defines what an expression needs, in a process that was prepared with what it is to be
    configured with; returns the value of the expression, which passes through JSON."""

    def run(
        probe: str, expression: str, *, state: Path, environ: dict[str, str] | None = None, **configure: Any
    ) -> Any:
        configure.setdefault("options", {"state_directory": str(state)})
        return probes.evaluate(probe, expression, environ=environ or {}, configure=configure)

    return run
