"""A task that fails of what the data boundary refused is not retried, and says why in one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support import prepared_hosts

PROBE = """
import json, sys
from types import SimpleNamespace
from tradewind_protocol.boundary import Rejection
from tradewind_protocol.errors import Code
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure(component="worker", agent_name="a", gateway="/g", secret=""))
from tradewind_runtime.airflow import refusals
refusals.make_final()
refusals.make_final()
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import comms, task_runner
def told(code):
    body = json.loads(Rejection(Code(code), "the XCom 'k' is a value", "set a backend").body)
    detail = {"status_code": 403, "message": "Server returned error", "detail": body}
    return AirflowRuntimeError(comms.ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))
ERRORS = {
    "policy_refused": lambda: told("policy_refused"),
    "too_large": lambda: told("too_large"),
    "unavailable": lambda: told("unavailable"),
    "airflows own": lambda: AirflowRuntimeError(comms.ErrorResponse(error=ErrorType.GENERIC_ERROR, detail=None)),
    "an authors": lambda: ValueError("x"),
}
said = []
log = SimpleNamespace(error=said.append)
ti = SimpleNamespace(
    _ti_context_from_server=SimpleNamespace(should_retry=True), end_date=None, rendered_map_index=None, _failure_metrics_emitted=True,
    task=SimpleNamespace(retry_policy=None),
)
message, state = task_runner._handle_current_task_failed(ti, ERRORS[sys.argv[1]](), log, None)
print(json.dumps([type(message).__name__, state.value, said]))
"""


def handled(error: str) -> Any:
    answer = prepared_hosts.run(PROBE, error)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


@pytest.mark.parametrize("code", ["policy_refused", "too_large"])
def test_what_is_refused_again_is_not_tried_again(code):
    assert handled(code) == [
        "TaskState",
        "failed",
        [
            "Refused: the XCom 'k' is a value. To do: set a backend. The task is not retried: it would be refused again"
        ],
    ]


@pytest.mark.parametrize("error", ["unavailable", "airflows own", "an authors"])
def test_every_other_failure_is_retried_as_before(error):
    assert handled(error) == ["RetryTask", "up_for_retry", []]
