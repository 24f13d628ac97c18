"""`python -m benchmarks.canary [SECONDS]`: the CPU that one canary costs a plane and an agent.

A real plane on SQLite and one real agent of many queues, twice: without canaries, and with one of each queue every few seconds. The
difference is divided by the canaries that ended.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from benchmarks.processes import Role, cpu
from support.airflow_rest import eventually
from support.deployment import run_site
from support.installed import plane_settings
from tradewind.embedded import plane

QUEUES = 30
INTERVAL = 5
SECONDS = 60.0


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as place:
        idle, _ = _measured(Path(place, "idle"), 0, seconds)
        busy, ended = _measured(Path(place, "busy"), INTERVAL, seconds)
    print(f"{ended} canaries in {seconds:.0f} s; CPU of one, in ms:")
    for role in busy:
        print(f"{role:<16} {(busy[role] - idle[role]) / ended * 1000:.1f}")


def _measured(home: Path, interval: int, seconds: float) -> tuple[Mapping[str, float], int]:
    """CPU-seconds by role in that time, and how many canaries went all the way in it."""
    home.mkdir()
    settings = plane_settings(
        home=home / "plane",
        options={"tradewind": {"canary_interval_seconds": str(interval), "sweep_seconds": "1"}},
    )
    options = {"queues": [f"q{number}" for number in range(QUEUES)]}
    with (
        plane.Plane(settings) as running,
        running.client() as http,
        run_site(home / "site", running, name="site", dags=None, options=options) as (agent, _),
    ):
        roles = {
            "API server": Role(lambda: [psutil.Process(one.pid) for one in running.api_servers]),
            "agent": Role(lambda: [psutil.Process(agent.process.pid)], alone=True),
            "worker process": Role(lambda: [psutil.Process(agent.process.pid)], below=True),
        }
        eventually(lambda: _agents(http) == 1, timeout=120, what="the agent has connected")
        if interval:
            eventually(lambda: _canaries(running) >= QUEUES, timeout=120, what="a canary of each queue")
        else:
            time.sleep(20)  # what a plane and an agent do once
        before, first = cpu(roles), _canaries(running)
        time.sleep(seconds)
        after, last = cpu(roles), _canaries(running)
    return {name: after[name] - before[name] for name in roles}, last - first


def _canaries(running: plane.Plane) -> int:
    """How many have ended. Attempts of canaries stay for ten minutes."""
    with closing(sqlite3.connect(f"file:{running.home / 'airflow.db'}?mode=ro", uri=True, timeout=30)) as db:
        statement = "select count(*) from tradewind_attempt where kind = 'canary' and outcome = 'succeeded'"
        (count,) = db.execute(statement).fetchone()
    return int(count)


def _agents(http: Any) -> int:
    return int(http.get("/tradewind/v1/agents").json()["total"])


if __name__ == "__main__":
    main()
