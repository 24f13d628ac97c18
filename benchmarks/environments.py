"""A virtual environment for each executor, of the same versions, bytecode compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ROOT / "build" / "bench" / "envs"
SOURCE = ROOT / "build" / "bench" / "source"
"""Our packages as they are committed: what is measured has a name, and nobody edits it meanwhile."""

EVERY = (
    "apache-airflow-core",
    "apache-airflow-providers-standard",
    "apache-airflow-providers-common-io",
    "apache-airflow-providers-http",
    "pandas",
    "psycopg2-binary",
    "asyncpg",
)
SITE = "tradewind-site"
"""What the owner of an agent installs, beside what the owner of the plane does."""

MORE: dict[str, tuple[str, ...]] = {
    "local": (),
    "tradewind": ("hatchling", "editables"),
    SITE: ("hatchling", "editables"),
    "edge3": ("apache-airflow-providers-edge3",),
    "celery": ("apache-airflow-providers-celery", "redis"),
}
OURS: dict[str, tuple[str, ...]] = {
    "tradewind": ("protocol", "provider"),
    SITE: ("protocol", "agent", "runtime"),
}


def python(side: str) -> Path:
    return HOME / environment(side) / "bin" / "python"


def environment(side: str) -> str:
    """Whose packages a side runs with: one that differs in its settings only has no environment of its own."""
    return side.removesuffix("-stock")


def ready(side: str) -> None:
    """Make the environments of that side unless they are there; compile our own packages, which change. Idempotent."""
    side = environment(side)
    if side in OURS:
        _take_committed()
        for each in OURS:
            _ready(each)
    else:
        _ready(side)


def _ready(side: str) -> None:
    mark = HOME / side / ".installed"
    requirements = (ROOT / "benchmarks" / "requirements.txt").read_text()
    if not mark.exists() or mark.read_text() != requirements:
        print(f"installing the environment of {side}")
        _make(side)
        mark.write_text(requirements)
    if side in OURS:
        _run(
            *_install(side), "--no-deps", "--no-build-isolation", *_ours(side)
        )  # entry points may have changed
        _run(str(python(side)), "-m", "compileall", "-q", str(SOURCE))


def _make(side: str) -> None:
    uv = str(ROOT / ".tools" / "bin" / "uv")
    _run(uv, "venv", "-q", "--clear", "--python", str(ROOT / ".venv" / "bin" / "python"), str(HOME / side))
    constraints = ("-c", str(ROOT / "benchmarks" / "requirements.txt"))
    _run(*_install(side), *constraints, *EVERY, *MORE[side])
    if side in OURS:
        constraints = ("-c", str(ROOT / "requirements.lock"))
        _run(*_install(side), "--no-build-isolation", *constraints, *_ours(side))


def _take_committed() -> None:
    shutil.rmtree(SOURCE, ignore_errors=True)
    SOURCE.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "archive", "HEAD", "packages"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    subprocess.run(["tar", "-x"], cwd=SOURCE, check=True, input=archive.stdout)
    if overlay := os.environ.get("BENCH_OVERLAY", "").split():  # files not committed yet, to try them out
        for name in overlay:
            shutil.copy(ROOT / name, SOURCE / name)


def _install(side: str) -> tuple[str, ...]:
    uv = str(ROOT / ".tools" / "bin" / "uv")
    return (uv, "pip", "install", "-q", "--compile-bytecode", "--python", str(python(side)))


def _ours(side: str) -> list[str]:
    return [part for name in OURS[side] for part in ("-e", str(SOURCE / "packages" / name))]


def _run(*command: str) -> None:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, cwd=ROOT, env=env)
