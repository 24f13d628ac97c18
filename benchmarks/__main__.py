"""`make bench`: each executor in turn, each workload a few times, one table."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from benchmarks import environments, report, sides, workloads
from support import postgresql
from tradewind.embedded import plane, processes


def main() -> int:
    options = _options()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sizes = workloads.Sizes.scaled(options.scale)
    every = workloads.all_of(sizes)
    # in this order whatever was asked: the crowd takes the real agent's place and comes last
    chosen = [name for name in every if not options.workloads or name in options.workloads]
    if unknown := set(options.workloads) - set(every):
        print(f"no such workload: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
        return 2
    names = [name for name in report.ORDER if name in options.only.split(",")]
    for name in names:
        environments.ready(name)
    results = report.Results(options.results, scale=options.scale)
    home = Path(tempfile.mkdtemp(prefix="tradewind-bench-"))
    home.chmod(0o755)
    os.environ |= sizes.environment()
    failed = False
    with servers(home, redis="celery" in names) as server:
        # Sides take turns, so that what else this machine does meanwhile falls on all of them.
        for turn in range(options.rounds):
            for name in names:
                where = home / f"{turn}-{name}"
                os.environ["BENCH_JOURNAL"] = str(where / "journal")
                where.mkdir()
                (where / "journal").touch()
                began = time.monotonic()
                try:
                    failed |= not _one_side(name, where, server, chosen, every, options, results)
                except Exception as problem:
                    failed = True
                    print(f"{name}: {type(problem).__name__}: {problem}")
                    if options.keep:
                        print(f"its files are in {where}")
                print(f"{name} took {time.monotonic() - began:.0f} s in all", flush=True)
                if not options.dry:
                    results.write()  # what is measured is kept, whatever happens to the rest
    if not options.keep:
        shutil.rmtree(home, ignore_errors=True)
    print(results.table(chosen, names))
    if not options.dry:
        report.publish(options.results)
    return int(failed)


def _one_side(name, home, server, chosen, every, options, results) -> bool:  # type: ignore[no-untyped-def]
    """False when a workload failed: the others are measured all the same."""
    began, all_well = time.monotonic(), True
    with sides.running(name, home, server, profile=options.profile) as side:
        side.rest.wait_for_dags(["wide", "chain", "burst", "imports", "sleepers", "deferrable"], timeout=180)
        workloads.warm(side)
        print(f"{name} is up and warm after {time.monotonic() - began:.0f} s", flush=True)
        for workload in chosen:
            for _ in range(options.repeats):
                if workload in ("wide", "burst"):
                    side.database.forget()
                try:
                    metrics = every[workload](side)
                except Exception as problem:
                    all_well = False
                    print(f"  {name} {workload} failed: {type(problem).__name__}: {problem}", flush=True)
                    _give_up_runs(side)
                    break
                label = workload if options.profile == "default" else f"{workload} ({options.profile})"
                results.add(label, name, metrics)
                short = ", ".join(f"{key} {value:.4g}" for key, value in metrics.items())
                print(f"  {name} {label}: {short}", flush=True)
            if options.statements:
                for calls, spent, text in side.database.statements():
                    print(f"    {calls:6d} {spent:8.0f} ms {text[:200]}")
        if options.pause:
            input(f"{side.plane.url} admin {side.plane.passwords['admin']}; Enter ends it ")
    return all_well


def _give_up_runs(side: sides.Side) -> None:
    """Nothing of a workload that failed goes on while the next one is measured."""
    for dag_id, run_id in side.database.rows(
        "SELECT dag_id, run_id FROM dag_run WHERE state IN ('running', 'queued')"
    ):
        try:
            side.rest.send("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})
        except Exception as problem:
            print(f"  {dag_id} {run_id} goes on: {problem}")


@contextmanager
def servers(home: Path, *, redis: bool) -> Iterator[postgresql.PostgreSQL]:
    directory = home / "postgresql"
    directory.mkdir(mode=0o755)
    server = postgresql.PostgreSQL(directory)
    server.process.command += [
        *("-c", "shared_preload_libraries=pg_stat_statements"),
        *("-c", "pg_stat_statements.max=10000"),
    ]
    with ExitStack() as stack:
        server.initialise()
        stack.callback(server.stop)
        server.start()
        if redis:
            port = str(plane.free_port())
            os.environ["BENCH_REDIS_PORT"] = port
            broker = processes.LocalProcess(
                "redis",
                ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", home],
                env={"PATH": os.environ["PATH"]},
                log=home / "redis.log",
            )
            broker.start()
            stack.callback(broker.stop)
        yield server


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workloads", nargs="*", help="default: all")
    parser.add_argument("--only", default=",".join(report.ORDER), help="executors, comma between them")
    parser.add_argument("--repeats", type=int, default=1, help="of each workload while an executor is up")
    parser.add_argument("--rounds", type=int, default=1, help="times each executor is started")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the tasks")
    parser.add_argument(
        "--profile", choices=sorted(sides.PROFILES), default="default", help="of the scheduler"
    )
    parser.add_argument("--results", type=Path, default=environments.ROOT / "docs" / "benchmarks.json")
    parser.add_argument("--dry", action="store_true", help="print the table, write nothing")
    parser.add_argument("--keep", action="store_true", help="leave the files of the run for a look")
    parser.add_argument("--statements", action="store_true", help="print what the database was asked most")
    parser.add_argument("--pause", action="store_true", help="wait for Enter before an executor is stopped")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
