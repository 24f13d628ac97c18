"""`python -m benchmarks.secrets_read [NAME …]`: the CPU of a warm task that reads one connection from each secrets backend.

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

TASKS = 8

READS = """
import json, os, sys, time
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure(component="worker", agent_name="a", gateway="", secret="",
                              options={"state_directory": sys.argv[2]}))
from tradewind_runtime.airflow import workloads
workloads.prepare()
from airflow.sdk import Connection
from airflow.sdk.execution_time import task_runner
task_runner.SUPERVISOR_COMMS = object()  # as in a task: it is asked after the backend, and so never here
from tradewind_runtime.accelerators.secrets_reader import SecretsReader
if sys.argv[1] == "reader":
    reader = SecretsReader()
    assert reader.applies() is None
    reader.install()
for number in range(int(sys.argv[3])):
    ours, theirs = os.pipe()
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
        print("spent " + told.read(), flush=True)
    os.wait()
"""


def main(*names: str) -> None:
    print("| backend | secrets_reader | first read of a task, ms of CPU | further reads |\n|---|---|---|---|")
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
                            for reader in ("reader", "none"):
                                print(_row(backend, reader, home), flush=True)


def _row(backend: Any, reader: str, home: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(home / "airflow")}
    environment |= {**backend.cloud.environment(), **backend.variables()}
    interpreter = str(of_cloud(backend.extra))
    command = [*backend.cloud.place.command(), interpreter, "-c", READS, reader, str(home), str(TASKS + 1)]
    told = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    lines = [line.removeprefix("spent ") for line in told.stdout.splitlines() if line.startswith("spent ")]
    spent = [json.loads(line) for line in lines][1:]  # the first task wakes the reader
    first, further = (statistics.median(each[which] for each in spent) for which in (0, 1))
    on = "on" if reader == "reader" else "off"
    return f"| {backend.service} ({backend.name}) | {on} | {first:.1f} | {further:.1f} |"


if __name__ == "__main__":
    main(*sys.argv[1:])
