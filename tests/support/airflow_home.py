"""The Airflow that the tests' own process imports: one of its own, away from any that a developer has."""

from __future__ import annotations

import atexit
import base64
import os
import shutil
import tempfile


def use_one_of_its_own() -> None:
    """Point this process at a new Airflow home, which is removed when the process ends. Airflow reads its environment at its
    first import, so this comes before any."""
    home = tempfile.mkdtemp(prefix="tradewind-tests-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = home
    os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__EXECUTOR"] = "LocalExecutor,tradewind_provider.executor.RemoteExecutor"
    os.environ["AIRFLOW__CORE__FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
