"""`python -m benchmarks.worker`: what one attempt costs a worker process, without a plane and without an agent.

A real worker process, real supervisors and real processes of tasks; a gateway that answers at once stands in for the agent.
CPU is user and system time of the worker process and everything under it, faults are pages that were copied or made.

`--accelerators all,none,all-prepared_logging` compares: one worker process each, served in turns of a few attempts, so that a
slow minute of the machine hits all of them. `--sleeping` measures the memory of tasks that sleep.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import counting, realistic_site
from tradewind_protocol import hosts

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from support import worker_host  # noqa: E402  (the worker process's own tests know how to be an agent)

DAGS = Path(__file__).parent / "dags"


@dataclass
class Side:
    """One worker process, and what its attempts cost: CPU in milliseconds, page faults."""

    accelerators: str
    host: Any
    user: list[float] = field(default_factory=list)
    system: list[float] = field(default_factory=list)
    faults: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def turn(self, options: argparse.Namespace, attempts: int) -> None:
        """Run some attempts, one after the other, and keep their means."""
        before, began = tree(self.host.process.pid), time.monotonic()
        for _ in range(attempts):
            self.attempt(options)
        # what an attempt leaves to do is its cost as well
        time.sleep(0.05)
        after, seconds = tree(self.host.process.pid), time.monotonic() - began - 0.05
        self.user.append(1000 * (after[0] - before[0]) / attempts)
        self.system.append(1000 * (after[1] - before[1]) / attempts)
        self.faults.append((after[2] - before[2]) / attempts)
        self.wall.append(1000 * seconds / attempts)

    def start(self, task: str, dag: str, map_index: int = -1) -> Any:
        workload = worker_host.task_workload(task, dag_id=dag)
        workload["ti"]["map_index"] = map_index
        return self.host.start_task(workload)

    def attempt(self, options: argparse.Namespace) -> None:
        attempt = self.start(options.task, options.dag, options.map_index)
        outcome = attempt.outcome()
        self.host.received.clear()
        if self.host.gateway.states_of(attempt) != ["success"]:
            raise RuntimeError(f"{outcome}: {attempt.log()}")

    @property
    def cpu(self) -> list[float]:
        return [user + system for user, system in zip(self.user, self.system, strict=True)]


def main() -> int:
    options = _options()
    with _sides(options) as sides:
        if options.sleeping:
            _sleep(sides, options)
        else:
            _run(sides, options)
    return 0


def _run(sides: list[Side], options: argparse.Namespace) -> None:
    for side in sides:
        for _ in range(options.warm):
            side.attempt(options)
            time.sleep(0.05)
    time.sleep(1.0)
    with counting.instructions() as counted:
        for _ in range(options.turns):
            for side in sides:
                side.turn(options, options.attempts)
    first = sides[0]
    for side in sides:
        print(
            f"{side.accelerators}: each {statistics.median(side.wall):.1f} ms; CPU {statistics.mean(side.cpu):.2f} ms"
            f" ({statistics.mean(side.user):.1f} user, {statistics.mean(side.system):.1f} system),"
            f" {statistics.median(side.faults):.0f} page faults{_against(first, side)}"
        )
    if len(sides) == 1:
        count = options.turns * options.attempts
        for part, millions in counted.items():
            print(
                f"the whole machine, this gateway included: {millions / count:.2f} million {part} instructions each"
            )


def _against(first: Side, side: Side) -> str:
    """By how much the CPU of each turn differs from the turn of the first side just before it: median and quartiles."""
    if first is side:
        return ""
    ratios = sorted(mine / theirs - 1 for mine, theirs in zip(side.cpu, first.cpu, strict=True))
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
    together = sum(side.cpu) / sum(first.cpu) - 1
    return (
        f"; CPU {100 * together:+.1f} % against {first.accelerators}, by turns {100 * middle:+.1f} %"
        f" ({100 * low:+.1f} to {100 * high:+.1f})"
    )


def _sleep(sides: list[Side], options: argparse.Namespace) -> None:
    first = 0.0
    for side in sides:
        pid, count = side.host.process.pid, options.sleeping
        for _ in range(options.warm):
            side.attempt(argparse.Namespace(task="link_0", dag="chain", map_index=-1))
        _wait_for(pid, lambda processes: processes <= 2)  # the prefork process, and one with libraries
        before = memory(pid)
        running = [side.start("sleeper", "sleepers", 0) for _ in range(count)]
        _wait_for(pid, lambda processes: processes >= 3 * options.sleeping)
        each = (memory(pid) - before) / count / 1024
        first = first or each
        print(
            f"{side.accelerators}: a sleeping task {each:.2f} MB ({100 * (each / first - 1):+.1f} %)",
            flush=True,
        )
        for attempt in running:
            side.host.stop(attempt, grace=0.0)
        for attempt in running:
            attempt.outcome()
        side.host.received.clear()


def _wait_for(pid: int, meets: Callable[[int], bool]) -> None:
    """Until the number of processes is as wanted, and three seconds more: what is under way settles."""
    deadline = time.monotonic() + 90
    while not meets(len(list(_under(pid)))):
        if time.monotonic() > deadline:
            raise RuntimeError(f"there are {len(list(_under(pid)))} processes")
        time.sleep(0.2)
    time.sleep(3.0)


def memory(pid: int) -> float:
    """Kilobytes of a process and everything under it, each shared page counted once (PSS)."""
    total = 0.0
    for one in _under(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(float(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def tree(pid: int) -> tuple[float, float, int]:
    """User seconds, system seconds and minor faults of a process and everything under it, ended ones included."""
    user = system = faults = 0
    for one in _under(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        faults += int(fields[7]) + int(fields[8])
        user += int(fields[11]) + int(fields[13])
        system += int(fields[12]) + int(fields[14])
    return user / 100, system / 100, faults


def _under(pid: int) -> Iterator[int]:
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        yield one
        try:
            waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue


@contextmanager
def _sides(options: argparse.Namespace) -> Iterator[list[Side]]:
    """Started worker processes, one for each choice of accelerators."""
    with ExitStack() as stack:
        path = stack.enter_context(tempfile.TemporaryDirectory(prefix="tw-")) + "/gateway.sock"
        current = stack.enter_context(worker_host.serving(uds=path))
        current["gateway"] = gateway = worker_host.FakeGateway(path)
        environ = {
            "AIRFLOW__CORE__TEST_CONNECTION": "Disabled",
            "BENCH_JOURNAL": "/dev/null",
            "BENCH_SLEEPERS": "1",
        }
        if options.site == "realistic":
            site = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tradewind-site-")))
            environ |= stack.enter_context(realistic_site.served(site))
        sides = []
        for number, chosen in enumerate(options.accelerators.split(",")):
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"tradewind-bench-{number}-")))
            host = worker_host.WorkerHost(
                gateway,
                home,
                dags=DAGS,
                command=worker_host.PYTHON,
                environ=dict(environ),
                accelerators=_setting(chosen),
            )
            stack.callback(host.close)
            if options.verbose:
                print(json.dumps({chosen: host.receives(hosts.Hello).accelerators}, indent=1))
            sides.append(Side(chosen, host))
        yield sides


def _setting(chosen: str) -> list[str]:
    """`all`, `none`, names with `+` between them, or `all-` and the names that are left out."""
    from tradewind_runtime.accelerators.table import NAMES

    base, *without = chosen.split("-")
    names = sorted(NAMES) if base == "all" else base.split("+")
    if wrong := {*names, *without} - {*NAMES, "none"}:
        raise SystemExit(
            f"no accelerator is named {', '.join(sorted(wrong))}; there are {', '.join(sorted(NAMES))}"
        )
    return [name for name in names if name not in without]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker", description=__doc__)
    parser.add_argument("task", nargs="?", default="link_0")
    parser.add_argument("--dag", default="chain")
    parser.add_argument(
        "--map-index", type=int, default=-1, help="of a mapped task, such as uses_them of imports"
    )
    parser.add_argument(
        "--accelerators",
        default="all",
        help="all, none, names joined by +, or all-NAME; several with commas are compared",
    )
    parser.add_argument("--site", choices=("bare", "realistic"), default="bare")
    parser.add_argument("--attempts", type=int, default=10, help="attempts a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--warm", type=int, default=5)
    parser.add_argument(
        "--sleeping", type=int, default=0, metavar="TASKS", help="measure the memory of so many"
    )
    parser.add_argument("--verbose", action="store_true", help="print which accelerators are on")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
