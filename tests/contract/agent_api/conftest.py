"""Each test runs against `tradewind_agent.testing.FakePlane`, against the real application on a migrated database, and
against that behind an nginx where there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

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
