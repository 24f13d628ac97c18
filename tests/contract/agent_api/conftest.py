"""Each test runs against `tradewind_agent.testing.FakePlane`, against the real application on a migrated database, and
against that behind an nginx where there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from support import nginx

from . import planes

PLANES = ("fake", "real", "nginx")


@pytest.fixture(scope="module")
def proxy() -> Iterator[planes.Proxy]:
    """One nginx for all tests of a file: each puts a plane of its own behind it."""
    if not nginx.available():
        pytest.skip("no nginx on this machine: `make nginx`")
    with planes.proxying() as made:
        yield made


@pytest.fixture(params=PLANES)
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[planes.PlaneUnderTest]:
    async with planes.named(request) as one:
        yield one
