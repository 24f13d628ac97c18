"""`python -m benchmarks.worker`: what one attempt costs a worker host, without a plane and without an agent.

A real worker host, real supervisors and real processes of tasks; a gateway that answers at once stands in for the agent.
CPU is user and system time of the host and everything under it, faults are pages that were copied or made.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import counting

ROOT = Path(__file__).parents[1]
DAGS = Path(__file__).parent / "dags"


def main() -> int:
    options = _options()
    parts = _parts()
    environ = {
        "AIRFLOW__CORE__TEST_CONNECTION": "Disabled",
        "BENCH_JOURNAL": "/dev/null",
    }
    serve = parts.gateway_server.__wrapped__()
    path, current = next(serve)
    current["gateway"] = gateway = parts.FakeGateway(path)
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as home:
        host = parts.WorkerHost(gateway, Path(home), dags=DAGS, environ=environ)
        try:
            for _ in range(options.warm):
                _attempt(host, options)
                time.sleep(0.05)
            time.sleep(1.0)
            before, began = tree(host.process.pid), time.monotonic()
            with counting.instructions() as counted:
                for _ in range(options.attempts):
                    _attempt(host, options)
            after, seconds = tree(host.process.pid), time.monotonic() - began
        finally:
            host.close()
    count = options.attempts
    print(
        f"{count} attempts, one after the other: each {1000 * seconds / count:.1f} ms;"
        f" CPU {1000 * (after[0] - before[0]) / count:.1f} ms user"
        f" and {1000 * (after[1] - before[1]) / count:.1f} ms system,"
        f" {(after[2] - before[2]) / count:.0f} page faults"
    )
    for part, millions in counted.items():
        print(
            f"the whole machine, this gateway included: {millions / count:.2f} million {part} instructions each"
        )
    next(serve, None)
    return 0


def _attempt(host: Any, options: argparse.Namespace) -> None:
    attempt = host.run(options.task, dag_id=options.dag)
    outcome = attempt.outcome()
    host.heard.clear()
    if outcome.kind.value != "succeeded":
        raise RuntimeError(f"{outcome}: {attempt.log()}")


def tree(pid: int) -> tuple[float, float, int]:
    """User seconds, system seconds and minor faults of a process and everything under it, ended ones included."""
    user = system = faults = 0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            children = Path(f"/proc/{one}/task/{one}/children").read_text().split()
        except OSError:
            continue
        faults += int(fields[7]) + int(fields[8])
        user += int(fields[11]) + int(fields[13])
        system += int(fields[12]) + int(fields[14])
        waiting += map(int, children)
    return user / 100, system / 100, faults


def _parts() -> Any:
    """The worker host's own tests know how to be an agent."""
    place = ROOT / "packages" / "runtime" / "tests" / "worker" / "conftest.py"
    spec = importlib.util.spec_from_file_location("worker_host_parts", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker", description=__doc__)
    parser.add_argument("task", nargs="?", default="link_0")
    parser.add_argument("--dag", default="chain")
    parser.add_argument("--attempts", type=int, default=50)
    parser.add_argument("--warm", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
