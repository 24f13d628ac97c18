"""Code that runs in a task environment which is prepared as for tasks, without a plane; and what it measures of memory."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from support.patience import stretched

PREPARED = '''
import json, os
from collections import namedtuple
from tradewind_protocol.hosts import Configure
from tradewind_protocol.states import Component
from tradewind_runtime import environment
options = {"state_directory": os.environ["STATE"], "storage": os.environ["STORAGE"]}
environment.prepare(
    Configure(component=Component.WORKER, agent_name="test", gateway="", secret="", options=options)
)
from airflow.sdk.execution_time.xcom import XCom
Stored = namedtuple("Stored", "value")
NAME = dict(key="return_value", dag_id="d", run_id="r", task_id="t", map_index=-1)
def push(value):
    return XCom.serialize_value(value, **NAME)
def pull(reference):
    return XCom.deserialize_value(Stored(reference))
def tried(call, *arguments):
    try:
        return [call(*arguments), ""]
    except Exception as error:
        return [type(error).__name__, f"{error} {getattr(error, 'remedy', '')}"]
def told(value):
    print("told " + json.dumps(value), flush=True)
def limits():
    """The doctor's, of which the seconds are longer on a machine that is busy, and shorter for a test in a hurry."""
    from tradewind_runtime.time_limits import TimeLimits
    long = float(os.environ["SECOND"])
    return TimeLimits(220 * long, wait=lambda answer, seconds: answer.result(seconds * long))
'''

USED = """
from tradewind_runtime import doctor
from tradewind_runtime.airflow import inspection, workloads
workloads.prepare()
found = {"secrets": tried(inspection.secrets_backends, ["warehouse"], ["limit"])}
found |= {said["check"]: [said["evidence"], said.get("remedy", "")] for said in doctor.stores(limits())}
found["value"] = tried(lambda: pull(push({"of": "the task"})))
if not os.fork():  # as a task, which a worker process forks
    from airflow.sdk import BaseHook, Variable
    found["connection"] = tried(lambda: BaseHook.get_connection("warehouse").password)
    found["variable"] = tried(Variable.get, "limit")
    told(found)
    os._exit(0)
os.wait()
"""
"""What the doctor says of the secrets backend and of the stores, and what a task reads and keeps."""


_MEASURED = """
import threading, time
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
def most(do):
    before = top = resident()
    ended = []
    def watch():
        nonlocal top
        while not ended:
            top = max(top, resident())
            time.sleep(0.002)
    thread = threading.Thread(target=watch)
    thread.start()
    began, cpu = time.monotonic(), time.process_time()
    try:
        value = do()
    finally:
        took = [time.monotonic() - began, time.process_time() - cpu]
        ended.append(True)
        thread.join()
    return value, top - before, took
pull(push(made(1000)))  # what is imported and opened is there from now on
empty = resident()
value = made(SIZE)
held = max(SIZE, resident() - empty)
reference, writing, wrote = most(lambda: push(value))
print_of = sign(value)
del value
value, reading, read = most(lambda: pull(reference))
told([[writing / held, *wrote], [reading / held, *read], sign(value) == print_of])
"""

VALUES = {
    "text": """
import hashlib
def made(size):
    return {"text": "x" * size}
def sign(value):
    return hashlib.sha256(value["text"].encode()).hexdigest()
""",
    "rows": """
def made(size):
    return [{"id": number, "name": f"row {number:010}"} for number in range(size // 40)]
def sign(value):
    return [len(value), value[0], value[-1]]
""",
    "DataFrame": """
import numpy, pandas
def made(size):
    return pandas.DataFrame({"x": numpy.random.default_rng(1).random(size // 8)})
def sign(value):
    return float(value["x"].sum())
""",
}
"""Values of about SIZE bytes: how they are made, and how it is told that they came back."""


def run(
    interpreter: Path,
    home: Path,
    storage: str,
    variables: Mapping[str, str],
    code: str,
    *,
    within: Sequence[str] = (),
) -> Any:
    """What the code tells, in an environment that is prepared as for tasks. `within`: the command that runs it, as in a
    network of its own."""
    kept = {"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(home), "STATE": str(home), "STORAGE": storage}
    kept["SECOND"] = str(stretched(1))
    done = subprocess.run(
        [*within, str(interpreter), "-c", PREPARED + code],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=900,
    )
    told = [line.removeprefix("told ") for line in done.stdout.splitlines() if line.startswith("told ")]
    assert told, done.stdout + done.stderr
    return json.loads(told[-1])


class Measured(NamedTuple):
    """What one way of a value costs."""

    memory: float  # the peak of resident memory beyond what was there, in sizes of the value in memory
    seconds: float
    cpu: float  # seconds of this process; in the rest of the time it waits for the store


def large_value(
    kind: str, size: int, *, interpreter: Path, home: Path, storage: str, variables: Mapping[str, str]
) -> tuple[Measured, Measured]:
    """What it costs to write a value of about `size` bytes, and to read it. Fails where it does not come back as it was."""
    code = f"SIZE = {size}\n{VALUES[kind]}\n{_MEASURED}"
    writing, reading, same = run(interpreter, home, storage, variables, code)
    assert same
    return Measured(*writing), Measured(*reading)
