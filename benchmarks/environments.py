"""An environment for each executor, of the same versions, made as owners make them: ours of wheels, one for each role."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tradewind.embedded.environments import WHEELS, Checkout

ROOT = Path(__file__).parents[1]
HOME = ROOT / "build" / "bench" / "envs"
SOURCE = ROOT / "build" / "bench" / "source"
"""Our packages as they are committed: what is measured has a name, and nobody edits it meanwhile."""

EVERY = (
    "apache-airflow-core",
    "apache-airflow-providers-standard",
    "apache-airflow-providers-common-io",
    "apache-airflow-providers-http",
    "apache-airflow-providers-amazon",
    "statsd",
    "pandas",
    "psycopg2-binary",
    "asyncpg",
)
MORE: dict[str, tuple[str, ...]] = {
    "edge3": ("apache-airflow-providers-edge3",),
    "celery": ("apache-airflow-providers-celery", "redis"),
}
"""What an executor needs beside what all have."""


def environment(side: str) -> str:
    """Whose packages a side runs with: one that differs in its settings only has no environment of its own."""
    return side.removesuffix("-stock")


def ready(side: str) -> None:
    """Make the environments of that side unless they are there. Idempotent."""
    for role in WHEELS if side == "tradewind" else ("plane",):
        python(side, role)


@cache
def python(side: str, role: str = "plane") -> Path:
    """The interpreter of that side's plane, or of our agent or its tasks; made when it is not there."""
    side = environment(side)
    lock = ROOT / "benchmarks" / "requirements.txt"
    more = () if role == "agent" else (*EVERY, *MORE.get(side, ()))
    ours = WHEELS[role] if side == "tradewind" else ()
    return _committed().environment(f"{side}-{role}", ours, more, lock=lock)


@cache
def _committed() -> Checkout:
    shutil.rmtree(SOURCE, ignore_errors=True)
    SOURCE.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "archive", "HEAD", "packages", "requirements.lock"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    subprocess.run(["tar", "-x"], cwd=SOURCE, check=True, input=archive.stdout)
    for name in os.environ.get("BENCH_OVERLAY", "").split():  # files not committed yet, to try them out
        shutil.copy(ROOT / name, SOURCE / name)
    (SOURCE / ".tools").symlink_to(ROOT / ".tools")
    return Checkout(SOURCE, kept=HOME, say=print)
