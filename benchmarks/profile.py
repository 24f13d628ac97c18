"""`make profile`: where the CPU of one workload goes, process by process, as py-spy sees it."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from benchmarks import environments, realistic_site, sides, workloads
from benchmarks.__main__ import servers

PY_SPY = environments.ROOT / ".tools" / "bin" / "py-spy"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("workload", nargs="?", default="wide")
    parser.add_argument("--side", default="tradewind", choices=sorted(sides.EXECUTORS))
    parser.add_argument("--roles", default="agent,worker,API server,scheduler")
    parser.add_argument("--scale", type=float, default=0.2)
    parser.add_argument("--rate", type=int, default=150)
    parser.add_argument("--site", choices=("realistic", "bare"), default="realistic")
    parser.add_argument("--out", type=Path, default=environments.ROOT / "build" / "bench" / "profiles")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sizes = workloads.Sizes.scaled(options.scale)
    os.environ |= {**sizes.environment(), **realistic_site.variables(options.site)}
    home = Path(tempfile.mkdtemp(prefix="tradewind-profile-"))
    home.chmod(0o755)
    os.environ["BENCH_JOURNAL"] = str(home / "journal")
    (home / "journal").touch()
    environments.ready(options.side)
    options.out.mkdir(parents=True, exist_ok=True)
    with (
        servers(home, redis=options.side == "celery") as server,
        sides.running(options.side, home / "side", server, sides.Choices(site=options.site)) as side,
    ):
        side.rest.wait_for_dags(["wide", "chain", "burst", "imports"], timeout=180)
        workloads.warm(side)
        spies = _watch(side, options)
        metrics = workloads.all_of(sizes)[options.workload](side)
        for spy in spies:
            spy.send_signal(signal.SIGINT)  # it writes its file
        for spy in spies:
            spy.wait(30)
        print(", ".join(f"{key} {value:.4g}" for key, value in metrics.items()))
    for path in sorted(options.out.glob(f"{options.side}-*.txt")):
        _show(path, options.rate)
    return 0


def _watch(side: sides.Side, options: argparse.Namespace) -> list[subprocess.Popen[bytes]]:
    spies = []
    for role in options.roles.split(","):
        if role not in side.roles:
            continue
        for root in side.roles[role].roots():
            path = options.out / f"{options.side}-{role.replace(' ', '-')}.txt"
            path.unlink(missing_ok=True)
            below = ["--subprocesses"] if role == "worker" else []
            command = [
                PY_SPY,
                "record",
                "--gil",  # what holds the interpreter's lock runs; py-spy counts some who wait as running
                "-p",
                root.pid,
                "-f",
                "raw",
                "-o",
                path,
                "-r",
                options.rate,
                "-d",
                600,
            ]
            spies.append(
                subprocess.Popen(
                    [*map(str, command), *below], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
    return spies


# A thread may be seen between waking up and waiting again; what waits is left out.
_WAITING = re.compile(
    r"(wait \(threading|select \(selectors|poll \(|_turn \(|_watch \(|_do_waitpid|_read_frame|SyncStream.read|"
    r"run_once|_run_scheduler_loop|Runner.run)"
)


def _show(path: Path, rate: int, most: int = 45) -> None:
    """Functions by the time spent in and under them."""
    under, own = Counter[str](), Counter[str]()
    total = 0
    for line in path.read_text(errors="replace").splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [re.sub(r"/\S*/(site-packages|src|python3\.\d+)/", "", each) for each in stack.split(";")]
        frames = [re.sub(r":\d+\)$", ")", each) for each in frames]
        if _WAITING.search(frames[-1]):
            continue
        total += int(count)
        own[frames[-1]] += int(count)
        for frame in set(frames):
            under[frame] += int(count)
    print(f"\n== {path.stem}: {total / rate:.1f} s sampled on a CPU")
    for title, counted in (("in and under", under), ("in itself", own)):
        print(f"-- {title}")
        for frame, count in counted.most_common(most):
            print(f"{100 * count / max(1, total):6.1f} %  {frame}")


if __name__ == "__main__":
    sys.exit(main())
