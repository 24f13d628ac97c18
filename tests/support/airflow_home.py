"""The Airflow that the tests' own process imports: one of its own, away from any that a developer has."""

from __future__ import annotations

import atexit
import base64
import os
import shutil
import tempfile

from support import whole_run


def use_one_of_its_own() -> None:
    """Point this process at a new Airflow home, which is removed when the process ends. Airflow reads its environment at its
    first import, so this comes before any."""
    home = tempfile.mkdtemp(prefix="tradewind-tests-", dir=_memory())
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    whole_run.begin(os.path.join(home, "run"))
    os.environ["AIRFLOW_HOME"] = home
    os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__EXECUTOR"] = "LocalExecutor,tradewind_provider.executor.RemoteExecutor"
    os.environ["AIRFLOW__CORE__FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()


def _memory() -> str | None:
    """A folder in memory with room for a database, which waits for no disk then; None where the machine has none."""
    place = "/dev/shm"
    return place if os.path.isdir(place) and shutil.disk_usage(place).free > 1 << 30 else None
