"""What every task's process, and every parser's, would build anew is built before the fork, and is what it would have
been."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from support import forked, prepared_hosts


def test_a_validator_is_made_once_and_reads_as_a_new_one_does():
    script = """
from tradewind_runtime.environment import prepare
from tradewind_runtime.accelerators import validator_cache
from tradewind_runtime.airflow import process
process.import_airflow_without_database()
from airflow.sdk.execution_time import comms, task_runner
from pydantic import JsonValue, TypeAdapter
validator_cache.ValidatorCache().install()
decoder = comms.CommsDecoder(log=None, socket=None)
assert decoder.body_decoder is comms.CommsDecoder(log=None, socket=None).body_decoder
assert type(decoder.body_decoder) is TypeAdapter
said = {"type": "VariableResult", "key": "k", "value": "v"}
assert decoder.body_decoder.validate_python(said) == TypeAdapter(comms.ToTask).validate_python(said)
assert task_runner.TypeAdapter(JsonValue) is task_runner.TypeAdapter(JsonValue)
assert task_runner.TypeAdapter(dict[str, int]).validate_python({"a": 1}) == {"a": 1}
"""
    run(script)


LOGGING = """
import json, logging, os, sys, warnings
from tradewind_runtime.airflow import process
process.import_airflow_without_database()
import structlog
from airflow.sdk.execution_time import supervisor
from tradewind_runtime import loggers
from tradewind_runtime.accelerators.prepared_logging import PreparedLogging
prepared_logging = PreparedLogging()

airflows_own = supervisor._configure_logs_over_json_channel
logging.getLogger("airflow.loud").addHandler(logging.NullHandler())
logging.getLogger("a.library").disabled = True

def state():
    structured = structlog.get_config()
    return {
        "handlers": [(type(each).__name__, each.level, type(each.formatter).__name__) for each in logging.root.handlers],
        "loggers": {
            name: (each.level, each.disabled, each.propagate, len(each.handlers), each.isEnabledFor(logging.INFO))
            for name, each in [("", logging.root), *logging.root.manager.loggerDict.items()]
            if isinstance(each, logging.Logger)
        },
        "processors": [getattr(each, "__qualname__", type(each).__name__) for each in structured["processors"]],
        "wrapper": structured["wrapper_class"].__name__,
        "cached": structured["cache_logger_on_first_use"],
        "hooks": (sys.excepthook.__qualname__, warnings.showwarning.__qualname__),
    }

def in_a_task(configure):
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            configure(writing)
            structlog.get_logger("of.structlog").warning("said", number=1)
            logging.getLogger("of.logging").warning("said %s", "so")
            logging.getLogger("airflow.loud").info("said too")
            warnings.simplefilter("always")
            warnings.warn("beware")
            sys.excepthook(ValueError, ValueError("no"), None)
            os.write(writing, json.dumps(state()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as lines:
        said = [json.loads(line) for line in lines.read().splitlines()]
    os.wait()
    for line in said:
        line.pop("timestamp", None)
    return said
"""


def run(script: str) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    done = forked.run(script, env=env, prepared=prepared_hosts.AIRFLOW)
    assert done.returncode == 0, done.stdout + done.stderr


def run_by_itself(script: str, **environ: str) -> None:
    """In an interpreter that has imported nothing before, which is what such a script looks at."""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], check=True, env={**os.environ, **environ}, timeout=60
    )


def test_logging_set_up_before_the_fork_is_what_airflow_sets_up_after_it():
    run(f"""{LOGGING}
expected = in_a_task(airflows_own)
mine = json.loads(json.dumps(state()))
assert prepared_logging.applies() is None
prepared_logging.install()
assert supervisor._configure_logs_over_json_channel is not airflows_own
after = json.loads(json.dumps(state()))
assert (after["handlers"], after["processors"], after["hooks"]) == (mine["handlers"], mine["processors"], mine["hooks"])
assert len(expected) == 6, expected
assert in_a_task(supervisor._configure_logs_over_json_channel) == expected
logging.getLogger("brought.later").setLevel(logging.ERROR)
prepared_logging.renew()
assert in_a_task(supervisor._configure_logs_over_json_channel) == in_a_task(airflows_own)
""")


@pytest.mark.parametrize("own", ["", "REMOTE_LOGGING=True", "LOGGING_CONFIG_CLASS=the_owners_own.CONFIG"])
def test_a_logger_that_was_used_before_the_fork_logs_where_a_task_logs_after_it(own: str):
    name, _, value = own.partition("=")
    run(f"""{LOGGING}
if "{name}":
    os.environ["AIRFLOW__LOGGING__{name}"] = "{value}"
from airflow.sdk.log import configure_logging
configure_logging()
early = structlog.get_logger("used.early")
early.warning("said before the fork")
loggers.release()
if prepared_logging.applies() is None:
    prepared_logging.install()
if "{name}":
    del os.environ["AIRFLOW__LOGGING__{name}"]
said = in_a_task(lambda fd: (supervisor._configure_logs_over_json_channel(fd), early.warning("said after it")))
assert [line["event"] for line in said if line.get("logger") == "used.early"] == ["said after it"], said
""")


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ("REMOTE_LOGGING=True", "no handler for the remote logs"),
        ("LOGGING_CONFIG_CLASS=the_owners_own.CONFIG", "the_owners_own.CONFIG"),
    ],
)
def test_where_the_owner_has_a_logging_of_their_own_each_task_sets_it_up(own: str, reason: str):
    name, value = own.split("=")
    run(f"""{LOGGING}
os.environ["AIRFLOW__LOGGING__{name}"] = "{value}"
assert "{reason}" in prepared_logging.applies()
prepared_logging.renew()
assert supervisor._configure_logs_over_json_channel is airflows_own
""")


REMOTE = """
import os, sys
from types import SimpleNamespace
from tradewind_runtime.airflow import process
process.import_airflow_without_database()
from airflow.sdk import log
from airflow.sdk.execution_time import supervisor
from tradewind_runtime.accelerators.prepared_logging import PreparedLogging

class Handler:
    processors = ()

def made(handler, beside=lambda: None):
    def load():
        beside()
        return handler
    log.load_remote_log_handler = load
    return PreparedLogging()

os.environ["AIRFLOW__LOGGING__REMOTE_LOGGING"] = "True"
"""


def test_a_handler_of_remote_logs_that_has_no_effects_is_made_once():
    run(f"""{REMOTE}
assert made(Handler()).applies() is None
""")


def test_a_handler_of_remote_logs_that_has_effects_is_made_by_each_task():
    run(f"""{REMOTE}
import socket, threading, time
taking = Handler()
taking.processors = (print,)
assert "each line" in made(taking).applies()
connected = Handler()
connected.hook = object()
assert "connects" in made(connected).applies()
kept = []
assert "thread" in made(Handler(), lambda: threading.Thread(target=time.sleep, args=[9], daemon=True).start()).applies()
assert "socket" in made(Handler(), lambda: kept.append(socket.socket())).applies()
def fails():
    raise ImportError("no boto3")
assert "no boto3" in made(Handler(), fails).applies()
assert "ends the process" in made(Handler(), lambda: os._exit(0)).applies()
""")


def test_a_parsers_validators_are_made_once_and_read_as_new_ones_do():
    run("""
from tradewind_runtime.accelerators import validator_cache
from tradewind_runtime.airflow import process
process.import_airflow_without_database()
from airflow.dag_processing import processor
from airflow.sdk.execution_time import comms
from pydantic import TypeAdapter
validator_cache.ValidatorCache(parsers=True).install()
make = processor.TypeAdapter[processor.ToDagProcessor]
decoder = comms.CommsDecoder(body_decoder=make(processor.ToDagProcessor), log=None, socket=None)
assert decoder.body_decoder is make(processor.ToDagProcessor)
assert decoder.err_decoder is comms.CommsDecoder(log=None, socket=None).err_decoder
assert type(decoder.body_decoder) is TypeAdapter
asked = {"type": "DagFileParseRequest", "file": "f", "bundle_path": "/b", "bundle_name": "b"}
new = TypeAdapter(processor.ToDagProcessor)
assert decoder.body_decoder.validate_python(asked) == new.validate_python(asked)
""")


FIRST_USES = """
import os, resource
from tradewind_runtime.airflow import process
process.import_airflow_without_database()
process.complete_the_models()
from tradewind_runtime.accelerators import first_uses, import_effects

def copied_pages(use):
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            use()
            os.write(writing, str(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        pages = int(said.read())
    os.wait()
    return pages
"""


def test_what_was_used_once_before_the_fork_costs_a_task_less_memory():
    run_by_itself(f"""{FIRST_USES}
before = {{use.__name__: copied_pages(use) for use in first_uses.USES}}
first_uses.FirstUses().install()
after = {{use.__name__: copied_pages(use) for use in first_uses.USES}}
for name in before:
    assert after[name] < 0.8 * before[name], (before, after)
assert sum(after.values()) < 0.6 * sum(before.values()), (before, after)
""")


def test_a_task_that_reads_a_connection_imports_nothing():
    run_by_itself(
        """
import os, sys
from tradewind_runtime.airflow import process
process.import_airflow_without_database()
from airflow.sdk import Connection
from airflow.sdk.execution_time import task_runner
from tradewind_runtime.accelerators.early_imports import MODULES, OF_TASKS, EarlyImports
from tradewind_runtime.accelerators.first_uses import FirstUses
task_runner.SUPERVISOR_COMMS = object()
EarlyImports(MODULES + OF_TASKS).install()
FirstUses().install()
before = set(sys.modules)
assert Connection.get("warehouse").host == "db"
assert set(sys.modules) == before, set(sys.modules) - before
""",
        AIRFLOW_CONN_WAREHOUSE="postgres://etl:word@db/dwh",
    )


def test_a_first_use_leaves_nothing_behind():
    run_by_itself(f"""{FIRST_USES}
import gc
from airflow.sdk import DAG
from airflow.sdk._shared.secrets_masker import _secrets_masker
def use_all():
    for use in first_uses.USES:
        use()
assert import_effects.reason_not_to_share(use_all) is None
use_all()
gc.collect()
assert not [one for one in gc.get_objects() if type(one) is DAG]
assert not _secrets_masker().patterns
""")
