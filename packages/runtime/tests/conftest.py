"""Fixtures of several files of the runtime's tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def probing(tmp_path: Path) -> Callable[..., Any]:
    """Runs a probe, a program that prepares its process for what it is to be configured with and fingerprints the value of an
    expression as JSON, in a process of its own; returns that value."""

    def run(
        probe: str, expression: str, *, state: Path, environ: dict[str, str] | None = None, **configure: Any
    ) -> Any:
        configure.setdefault("options", {"state_directory": str(state)})
        answer = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", probe, json.dumps(configure), expression],
            env={"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(tmp_path / "airflow"), **(environ or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout.splitlines()[-1])

    return run
