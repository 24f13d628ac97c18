"""When, on which machine and with which versions figures were measured."""

from __future__ import annotations

import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import psutil

from benchmarks.environments import ROOT


def machine() -> dict[str, str]:
    """Facts that stand above the figures."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return {
        "measured": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "processors": f"{psutil.cpu_count()} cores ({_processor()})",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "python": platform.python_version(),
        "airflow": _locked("apache-airflow-core"),
        "edge3": _locked("apache-airflow-providers-edge3"),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _locked(package: str) -> str:
    lock = (ROOT / "benchmarks" / "requirements.txt").read_text()
    return next(
        line.split("==")[1].split()[0] for line in lock.splitlines() if line.startswith(f"{package}==")
    )
