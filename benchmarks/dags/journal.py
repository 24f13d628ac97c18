"""What each task of the benchmark does: note when its first line ran, and use the site."""

from __future__ import annotations

import os
import time


def note(ti) -> None:
    """One short line, appended in one piece, so that lines of many processes do not mix."""
    now = time.time()
    line = f"{now:.6f} {ti.dag_id} {ti.run_id} {ti.task_id} {ti.map_index} {ti.try_number}\n"
    fd = os.open(os.environ["BENCH_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, line.encode())
    os.close(fd)


def work(ti) -> str | None:
    """Note the first line; on a realistic site read a connection and a variable. What is returned becomes an XCom."""
    note(ti)
    if os.environ.get("BENCH_SITE") != "realistic":
        return None
    from airflow.sdk import Connection, Variable

    return f"{Connection.get('warehouse').host} {Variable.get('region')}"


def size(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


DAG_OPTIONS = {"schedule": None, "catchup": False, "max_active_tasks": 2000, "max_active_runs": 100}
