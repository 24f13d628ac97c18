"""`make bench ARGS=secrets`: the CPU of a warm task that reads one connection from each secrets backend.

The servers and the settings are those of `make test-backends`: TLS, the vendors' names, an identity that has to sign in. A warm
task is a fork of a process that a worker process would fork tasks of. As root: it makes a network namespace.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from backends import secrets_of  # noqa: E402
from support.cloud.aws import Moto  # noqa: E402
from support.cloud.namespace import Cloud  # noqa: E402
from support.cloud.openbao import OpenBao  # noqa: E402
from support.cloud.server import Servers  # noqa: E402
from support.environments import of_cloud  # noqa: E402

TASKS = 40

READS = """
import json, os, sys, time
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
configure = Configure(component="worker", agent_name="a", gateway="", secret="", options={
    "state_directory": sys.argv[2], "secrets_cache_seconds": 60 if sys.argv[1] == "cached" else 0})
environment.prepare(configure)
from tradewind_runtime.accelerators import table
from tradewind_runtime.airflow import workloads
workloads.prepare()
from airflow.sdk import Connection
from airflow.sdk.execution_time import task_runner
task_runner.SUPERVISOR_COMMS = object()  # as in a task: it is asked after the backend, and so never here
# as a worker process does, as far as a task that reads a secret has something of it
of_worker = table.of_worker(configure)
reader = [of_worker.secrets_reader] if sys.argv[1] != "off" else []
for each in (of_worker.early_imports, of_worker.first_uses, *reader, of_worker.shared_heap):
    assert each.applies() is None
    each.install()
of_worker.shared_heap.freeze()
readers = list(of_worker.secrets_reader.pids)
def of_readers():
    ticks = 0
    for pid in readers:
        ticks += sum(map(int, open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[11:13]))
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")
def task():
    ours, theirs = os.pipe()
    of_worker.shared_heap.settle()
    if not os.fork():
        spent = []
        for _ in range(2):
            before = time.process_time()
            Connection.get("warehouse")
            spent.append((time.process_time() - before) * 1000)
        os.write(theirs, json.dumps(spent).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as told:
        spent = json.loads(told.read())
    os.wait()
    return spent
task()  # the first task wakes the reader
before = of_readers()
tasks = [task() for _ in range(int(sys.argv[3]))]
print("spent " + json.dumps([tasks, (of_readers() - before) / len(tasks) / 2]), flush=True)
"""

MODES = ("on", "cached", "off")
"""The accelerator `secrets_reader` as it is, with `secrets_cache_seconds`, and switched off."""


def measure(names: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, float]]]:
    """Each backend, with its figures in ms of CPU. Those of `on`, `cached` and `off` are measured one after the other."""
    with tempfile.TemporaryDirectory(prefix="tw-bench-") as place:
        home = Path(place)
        with Servers(home / "servers") as servers:
            hosts = {
                name: servers.get(Moto).url if name.endswith("amazonaws.com") else servers.get(OpenBao).url
                for name in secrets_of.NAMES
            }
            with Cloud(home / "cloud", hosts, more=[secrets_of.GoogleSecretManager.host]) as cloud:
                for kind in secrets_of.ALL:
                    if not names or kind.name in names:
                        with kind(cloud, servers, home / kind.name) as backend:
                            backend.put("connection", "warehouse", "postgres://etl:of-the-bench@db/dwh")
                            yield f"{backend.service} ({backend.name})", _figures(backend, home)


def _figures(backend: Any, home: Path) -> dict[str, float]:
    figures = {}
    for mode in MODES:
        tasks, reader = _told(backend, mode, home)
        figures[f"{mode}, ms: first read"] = statistics.median(first for first, _ in tasks)
        figures[f"{mode}, ms: further reads"] = statistics.median(further for _, further in tasks)
        if mode != "off":
            figures[f"{mode}, ms: the reader"] = reader
    return figures


def _told(backend: Any, mode: str, home: Path) -> Any:
    environment = {"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(home / "airflow")}
    environment |= {**backend.cloud.environment(), **backend.variables()}
    interpreter = str(of_cloud(backend.extra))
    command = [*backend.cloud.place.command(), interpreter, "-c", READS, mode, str(home), str(TASKS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [told] = [line for line in done.stdout.splitlines() if line.startswith("spent ")]
    return json.loads(told.removeprefix("spent "))
