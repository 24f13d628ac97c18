"""`make bench`: each executor in turn, each workload a few times, one table.

`make bench ARGS=page` measures everything that docs/benchmarks.md shows, and writes its figures anew. The workload `secrets` has
no executor: it is the cost of each secrets backend to a warm task, which docs/benchmarks-of-parts.md shows."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from benchmarks import (
    about,
    environments,
    executors,
    page,
    realistic_site,
    report,
    secrets_page,
    secrets_read,
    sides,
    workloads,
)
from support import postgresql
from tradewind.embedded import plane, processes

PAGE = "page"
"""In the place of workloads: those that docs/benchmarks.md shows."""


def main() -> int:
    options = _options()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sizes = workloads.Sizes.scaled(options.scale)
    every = workloads.all_of(sizes)
    if unknown := set(options.workloads) - {*every, secrets_page.SECRETS, PAGE}:
        print(
            f"no such workload: {', '.join(sorted(unknown))};"
            f" there are {', '.join(every)}, {secrets_page.SECRETS}, and {PAGE}"
        )
        return 2
    plan = _plan(options, list(every))
    choices = sides.Choices(options.profile, options.site, options.accelerators, options.shortcuts)
    for name in plan:
        environments.ready(name)
    # The page's figures are of one age: what was measured before is dropped.
    kept = PAGE not in options.workloads
    results = report.Results(options.results, scale=options.scale, keep=kept, about=about.machine())
    home = Path(tempfile.mkdtemp(prefix="tradewind-bench-"))
    home.chmod(0o755)
    os.environ |= {**sizes.environment(), **realistic_site.variables(options.site)}
    failed = secrets_page.SECRETS in options.workloads and not _secrets(options)
    with servers(home, redis="celery" in plan) if plan else nullcontext() as server:
        # Sides take turns, so that what else this machine does meanwhile falls on all of them.
        for turn in range(options.rounds):
            for name, chosen in plan.items():
                where = home / f"{turn}-{name}"
                os.environ["BENCH_JOURNAL"] = str(where / "journal")
                where.mkdir()
                (where / "journal").touch()
                began = time.monotonic()
                try:
                    failed |= not _one_side(name, where, server, chosen, every, options, choices, results)
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
    if plan:
        print(results.table(list(plan)))
    if plan and not options.dry:
        page.publish(options.results)
    return int(failed)


def _one_side(name, home, server, chosen, every, options, choices, results) -> bool:  # type: ignore[no-untyped-def]
    """False when a workload failed: the others are measured all the same."""
    began, all_well = time.monotonic(), True
    with sides.running(name, home, server, choices) as side:
        side.rest.wait_for_dags(["wide", "chain", "burst", "imports", "sleepers", "deferrable"], timeout=180)
        workloads.warm(side)
        print(f"{name} is up and warm after {time.monotonic() - began:.0f} s", flush=True)
        for workload in chosen:
            for _ in range(options.repeats):
                if workload in ("wide", "apart", "burst"):
                    side.database.forget()
                try:
                    metrics = every[workload](side)
                except Exception as problem:
                    all_well = False
                    print(f"  {name} {workload} failed: {type(problem).__name__}: {problem}", flush=True)
                    _give_up_runs(side)
                    break
                label = f"{workload} ({choices.label})" if choices.label else workload
                results.add(label, name, metrics)
                short = ", ".join(f"{key} {value:.4g}" for key, value in metrics.items())
                print(f"  {name} {label}: {short}", flush=True)
            if options.statements:
                for calls, spent, text in side.database.statements():
                    print(f"    {calls:6d} {spent:8.0f} ms {text[:200]}")
        if options.pause:
            input(f"{side.plane.url} admin {side.plane.passwords['admin']}; Enter ends it ")
    return all_well


def _secrets(options: argparse.Namespace) -> bool:
    """False when it failed: the executors are measured all the same."""
    results = report.Results(secrets_page.RESULTS, scale=options.scale)
    try:
        for backend, figures in secrets_read.measure():
            results.add(secrets_page.SECRETS, backend, figures)
            print(
                f"  {backend}: {', '.join(f'{key} {value:.3g}' for key, value in figures.items())}",
                flush=True,
            )
    except Exception as problem:
        print(f"{secrets_page.SECRETS}: {type(problem).__name__}: {problem}")
        return False
    if not options.dry:
        results.write()
        secrets_page.publish(secrets_page.RESULTS)
    return True


def _plan(options: argparse.Namespace, every: list[str]) -> dict[str, list[str]]:
    """The workloads of each executor that is measured, in the order in which they run."""
    named = [name for name in executors.NAMES if name in options.only.split(",")]
    if PAGE in options.workloads:
        return {name: list(page.WORKLOADS[name]) for name in named if name in page.WORKLOADS}
    # in this order whatever was asked: the simulated agents take the real agent's place and come last
    chosen = [name for name in every if not options.workloads or name in options.workloads]
    return dict.fromkeys(named, chosen) if chosen else {}


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
    parser.add_argument("workloads", nargs="*", help=f"default: all; {PAGE}: what the page shows")
    parser.add_argument("--only", default=",".join(executors.NAMES), help="executors, comma between them")
    parser.add_argument("--repeats", type=int, default=1, help="of each workload while an executor is up")
    parser.add_argument("--rounds", type=int, default=1, help="times each executor is started")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the tasks")
    parser.add_argument(
        "--profile", choices=sorted(sides.PROFILES), default="default", help="of the scheduler"
    )
    parser.add_argument("--site", choices=("realistic", "bare"), default="realistic")
    parser.add_argument(
        "--accelerators", default="all", help="of the agent: all, none, or names, comma between them"
    )
    parser.add_argument(
        "--shortcuts", default="all", help="of the plane: all, none, or names, comma between them"
    )
    parser.add_argument("--results", type=Path, default=environments.ROOT / "docs" / "benchmarks.json")
    parser.add_argument("--dry", action="store_true", help="print the table, write nothing")
    parser.add_argument("--keep", action="store_true", help="leave the files of the run for a look")
    parser.add_argument("--statements", action="store_true", help="print what the database was asked most")
    parser.add_argument("--pause", action="store_true", help="wait for Enter before an executor is stopped")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
