"""The page lists each name of Airflow's that our code uses, and each of them is there."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from support import forked

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "scripts" / "airflow_internals_page.py"


@pytest.fixture(scope="module")
def made() -> Any:
    spec = importlib.util.spec_from_file_location("airflow_internals_page", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current(tmp_path: Path) -> None:
    program = (
        "import runpy, sys\n"
        "made = runpy.run_path(sys.argv[1])\n"
        "sys.exit(0 if made['PAGE'].read_text() == made['page']() else 'run docs/scripts/airflow_internals_page.py')"
    )
    environ = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = forked.run(program, str(SCRIPT), env=environ)
    assert done.returncode == 0, done.stderr


def test_a_name_that_airflow_does_not_have_is_an_error(made: Any) -> None:
    assert made.looked_up("airflow.exceptions.AirflowException")[:2] == (
        "airflow.exceptions",
        "AirflowException",
    )
    for missing in ("airflow.exceptions.NoSuchError", "airflow.no_such_module.Name"):
        with pytest.raises(LookupError, match=missing):
            made.looked_up(missing)


def test_names_that_are_patched_overridden_or_asked_of_a_class_are_found(tmp_path: Path, made: Any) -> None:
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "adapter.py").write_text(
        "from airflow.sdk.execution_time import supervisor\n"
        "from airflow.sdk.bases.operator import BaseOperator\n"
        "supervisor._fork_main = None\n"
        "base = supervisor.WatchedSubprocess\n"
        "base.start\n"
        "class Mine(BaseOperator):\n"
        "    def on_kill(self): ...\n"
        "    def mine(self): ...\n"
    )
    found = {(use.module, use.name) for use in made.uses(tmp_path, ("airflow",))}
    assert found == {
        ("airflow.sdk.execution_time.supervisor", ""),
        ("airflow.sdk.execution_time.supervisor", "_fork_main"),
        ("airflow.sdk.execution_time.supervisor", "WatchedSubprocess"),
        ("airflow.sdk.execution_time.supervisor", "WatchedSubprocess.start"),
        ("airflow.sdk.bases.operator", "BaseOperator"),
        ("airflow.sdk.bases.operator", "BaseOperator.on_kill"),
    }
