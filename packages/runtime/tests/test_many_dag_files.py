"""A parser looks at its own Dag file, not at every one there is."""

from __future__ import annotations

import subprocess
import sys


def test_a_parser_that_puts_signal_handlers_back_writes_out_no_dag_file():
    script = """
import signal
from pathlib import Path
from tradewind_runtime.airflow import process
process.import_airflow_without_database()
from airflow.dag_processing.manager import DagFileInfo, DagFileStat
from tradewind_runtime.airflow.dags import Processor
manager = Processor(sync_state=None, loop=None, bundles={}, execution=None, reports=None, base_log_dir="/tmp")
file = DagFileInfo(rel_path=Path("one_of_many.py"), bundle_name="main")
manager._file_stats[file] = DagFileStat()
manager.register_exit_signals()
assert "one_of_many" not in repr(signal.getsignal(signal.SIGTERM))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
