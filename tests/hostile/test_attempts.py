"""Each attempt is held off: refused, nobody else's rows touched, no secret in the answer or the log, in time.

Every attempt has a name and is counted; `TRADEWIND_TEST_HOSTILE=all` (`make test-hostile`) makes all of them, the fast
ring deals the values of the largest family out in turn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .attempts import breaches
from .families import ALL
from .world import World, plane_of_two_sites

LEAST = 545
"""Attempts of the assessment that this suite began with."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with plane_of_two_sites(tmp_path_factory.mktemp("hostile")) as one:
        yield one


@pytest.mark.timeout(900)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("family", sorted({one.family for one in ALL}))
async def test_a_family_of_attempts_is_held_off(world: World, family: str) -> None:
    through: list[str] = []
    for attempt in ALL:
        if attempt.family == family:
            found = await breaches(world, attempt)
            if found and not attempt.open:
                through.append(f"{attempt.name}: {'; '.join(found)}")
            elif attempt.open and not found:
                through.append(f"{attempt.name}: held off, although {attempt.open}: take that away")
            elif attempt.open:
                await world.store_values()
    assert await world.attackers_session_lives()
    assert not through, f"{len(through)} attempts\n" + "\n".join(through)


def test_attempts_are_many_and_each_has_a_name_of_its_own() -> None:
    names = [one.id for one in ALL]
    assert len(names) == len(set(names)) >= LEAST, len(names)
