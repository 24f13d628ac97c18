"""A virtual environment for each executor, of the same versions, bytecode compiled."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ROOT / "build" / "bench" / "envs"

EVERY = (
    "apache-airflow-core",
    "apache-airflow-providers-standard",
    "apache-airflow-providers-common-io",
    "apache-airflow-providers-http",
    "pandas",
    "psycopg2-binary",
    "asyncpg",
)
MORE: dict[str, tuple[str, ...]] = {
    "local": (),
    "tradewind": ("hatchling", "editables"),
    "edge3": ("apache-airflow-providers-edge3",),
    "celery": ("apache-airflow-providers-celery", "redis"),
}
OURS = ("protocol", "agent", "runtime", "provider", "cli")


def python(side: str) -> Path:
    return HOME / side / "bin" / "python"


def ready(side: str) -> None:
    """Make the environment unless it is there; compile our own packages, which change. Idempotent."""
    mark = HOME / side / ".installed"
    requirements = (ROOT / "benchmarks" / "requirements.txt").read_text()
    if not mark.exists() or mark.read_text() != requirements:
        print(f"installing the environment of {side}")
        _make(side)
        mark.write_text(requirements)
    if side == "tradewind":
        sources = [str(ROOT / "packages" / name / "src") for name in OURS]
        _run(str(python(side)), "-m", "compileall", "-q", *sources)


def _make(side: str) -> None:
    uv = str(ROOT / ".tools" / "bin" / "uv")
    interpreter = str(python(side))
    _run(uv, "venv", "-q", "--clear", "--python", str(ROOT / ".venv" / "bin" / "python"), str(HOME / side))
    constraints = ("-c", str(ROOT / "benchmarks" / "requirements.txt"))
    install = (uv, "pip", "install", "-q", "--compile-bytecode", "--python", interpreter)
    _run(*install, *constraints, *EVERY, *MORE[side])
    if side == "tradewind":
        constraints = ("-c", str(ROOT / "requirements.lock"))
        ours = [part for name in OURS for part in ("-e", str(ROOT / "packages" / name))]
        _run(*install, "--no-build-isolation", *constraints, *ours)


def _run(*command: str) -> None:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, cwd=ROOT, env=env)
