"""The environments of this machine, by the version of Airflow that each has."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tradewind.errors import BadUsage

_VERSION: Final = "from importlib.metadata import version; print(version('apache-airflow-core'))"


def by_version(pythons: Sequence[Path]) -> dict[str, Path]:
    """Python by version. Raises BadUsage for one without Airflow, and for two of the same version."""
    found: dict[str, Path] = {}
    for python in pythons:
        done = subprocess.run([python, "-c", _VERSION], capture_output=True, text=True, check=False)
        version = done.stdout.strip()
        if done.returncode != 0:
            raise BadUsage(
                f"{python} has no Airflow", remedy="Install tradewind-provider in its environment."
            )
        if version in found:
            raise BadUsage(
                f"{found[version]} and {python} have the same Airflow, {version}",
                remedy="Name one environment for each version.",
            )
        found[version] = python
    return found
