"""Each test runs twice: against `tradewind_agent.testing.FakePlane`, and against the real application on a migrated
database."""

from __future__ import annotations

import atexit
import base64
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator

import pytest

if "airflow" not in sys.modules:  # read at Airflow's first import, and only then
    _home = tempfile.mkdtemp(prefix="tradewind-contract-")
    atexit.register(shutil.rmtree, _home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = _home
    os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()

from . import planes


@pytest.fixture(params=["fake", "real"])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[planes.PlaneUnderTest]:
    make = planes.FakePlaneUnderTest if request.param == "fake" else planes.RealPlaneUnderTest
    async with make() as one:
        yield one
