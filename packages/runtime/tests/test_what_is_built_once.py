"""What every task's process would build anew is built before the fork, and is what it would have been."""

from __future__ import annotations

import logging
import subprocess
import sys

from tradewind_runtime.seams import building


def test_loggers_that_are_configured_in_one_go_say_afterwards_what_they_are_set_to():
    logger = logging.getLogger("tradewind.test.one_go")
    logger.setLevel(logging.INFO)
    assert not logger.isEnabledFor(logging.DEBUG)  # remembered from here on
    with building._caches_cleared_at_the_end():
        logger.setLevel(logging.DEBUG)
    assert logger.isEnabledFor(logging.DEBUG)
    logger.setLevel(logging.INFO)  # and later changes count at once again
    assert not logger.isEnabledFor(logging.DEBUG)


def test_a_validator_is_made_once_and_reads_as_a_new_one_does():
    script = """
from tradewind_runtime.environment import prepare
from tradewind_runtime.seams import building, process
process.import_airflow_without_database()
from airflow.sdk.execution_time import comms, task_runner
from pydantic import JsonValue, TypeAdapter
building.build_validators_once()
decoder = comms.CommsDecoder(log=None, socket=None)
assert decoder.body_decoder is comms.CommsDecoder(log=None, socket=None).body_decoder
assert type(decoder.body_decoder) is TypeAdapter
said = {"type": "VariableResult", "key": "k", "value": "v"}
assert decoder.body_decoder.validate_python(said) == TypeAdapter(comms.ToTask).validate_python(said)
assert task_runner.TypeAdapter(JsonValue) is task_runner.TypeAdapter(JsonValue)
assert task_runner.TypeAdapter(dict[str, int]).validate_python({"a": 1}) == {"a": 1}
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True)
