"""Each test runs against `tradewind_agent.testing.FakePlane`, against the real application on a migrated database, and
against that behind an nginx where there is one."""

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

from support import nginx

from . import planes

PLANES = {
    "fake": planes.FakePlaneUnderTest,
    "real": planes.RealPlaneUnderTest,
    "nginx": planes.BehindNginx,
}


@pytest.fixture(params=list(PLANES))
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[planes.PlaneUnderTest]:
    if request.param == "nginx" and not nginx.available():
        pytest.skip("no nginx on this machine: `make nginx`")
    async with PLANES[request.param]() as one:
        yield one
