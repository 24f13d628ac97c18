"""Which Airflow the provider's tests run in: one of their own, on SQLite, or on PostgreSQL when asked.

`TRADEWIND_TEST_POSTGRESQL` is the SQLAlchemy URL of an empty database; `TRADEWIND_TEST_DATABASE=postgresql` starts a
server for the tests. Airflow reads its environment at its first import, so this happens before any.
"""

from __future__ import annotations

import atexit
import base64
import os
import shutil
import sys
import tempfile

if "airflow" not in sys.modules:
    _home = tempfile.mkdtemp(prefix="tradewind-provider-")
    atexit.register(shutil.rmtree, _home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = _home
    os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
    _url = os.environ.get("TRADEWIND_TEST_POSTGRESQL")
    if _url is None and os.environ.get("TRADEWIND_TEST_DATABASE") == "postgresql":
        from tests.support.postgresql import running

        _server = running()
        _url = _server.__enter__().new_database()
        atexit.register(_server.__exit__, None, None, None)
    if _url is not None:
        os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = _url
