"""A plane of two sites, in this process: Airflow's whole API server over ASGI, on a database of its own when run alone."""

from __future__ import annotations

import atexit
import base64
import os
import shutil
import sys
import tempfile

if "airflow" not in sys.modules:  # read at Airflow's first import, and only then
    _home = tempfile.mkdtemp(prefix="tradewind-hostile-")
    atexit.register(shutil.rmtree, _home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = _home
    os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__EXECUTOR"] = "LocalExecutor,tradewind_provider.executor.RemoteExecutor"
    os.environ["AIRFLOW__CORE__FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
