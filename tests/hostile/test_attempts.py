"""Each attempt is held off: refused, nobody else's rows touched, no secret in the answer or the log, in time.

Every attempt has a name and is counted; `TRADEWIND_TEST_HOSTILE=all` (`make test-hostile`) makes all of them, the fast
ring deals the values of the largest family out in turn.
"""

from __future__ import annotations

import os
import pkgutil
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from airflow.models.variable import Variable
from sqlalchemy import delete

from tradewind_protocol import paths
from tradewind_protocol.boundary import Pass
from tradewind_provider.airflow.database import create_session
from tradewind_provider.domain import leases

from .attempts import breaches
from .families import ALL
from .sites import ATTACKER, headers
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


OPENED_BY_A_TOKEN = ("/metrics", "/queues", "/queues/default", "/token")
LONGEST_AFTER_DELETION = 2.0
"""Seconds; docs/reference/threat-model.md."""


@pytest.mark.timeout(120)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_token_that_was_good_a_moment_ago_opens_nothing(world: World) -> None:
    """By the wall's own clock: what answered 28 s after the deletion of its token answers two seconds at most."""
    given = headers(world.users["ada"])
    made = await world.ask(
        "POST", "/tradewind/v1/tokens", given=given, json_body={"name": "short", "site": ATTACKER}
    )
    token = made.json()["token"]
    for path in OPENED_BY_A_TOKEN:
        answer = await world.ask("GET", paths.PREFIX + path, given=headers(token))
        assert answer.status_code == 200, (path, answer.text)
    deleted = await world.ask("DELETE", f"/tradewind/v1/tokens/{made.json()['id']}", given=given)
    assert deleted.is_success, deleted.text
    at = time.monotonic()
    open_for = dict.fromkeys(OPENED_BY_A_TOKEN, 0.0)
    shut: set[str] = set()
    while shut != set(OPENED_BY_A_TOKEN) and time.monotonic() - at < 30:
        for path in OPENED_BY_A_TOKEN:
            asked = time.monotonic() - at
            answer = await world.ask("GET", paths.PREFIX + path, given=headers(token))
            if answer.status_code == 200:
                open_for[path] = asked
            else:
                assert answer.json()["error"] == "token_deleted", answer.text
                shut.add(path)
    assert shut == set(OPENED_BY_A_TOKEN)
    assert max(open_for.values()) <= LONGEST_AFTER_DELETION, open_for
    world.changed()


def test_attempts_are_many_and_each_has_a_name_of_its_own() -> None:
    names = [one.id for one in ALL]
    assert len(names) == len(set(names)) >= LEAST, len(names)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_row_that_somebody_changes_is_noticed_once(world: World) -> None:
    """Without this, no attempt would ever be seen to have changed anything."""
    world.changed()
    with create_session() as db:
        db.add(Variable(key="planted", val="1"))
    assert world.changed() == ["variable"]
    assert world.changed() == []
    with create_session() as db:
        db.execute(delete(Variable).where(Variable.key == "planted"))
    assert world.changed() == ["variable"]


async def _let_in(*_: object, **__: object) -> None:
    """In place of a check that raises."""


DEALT = {"fields", "Dags"}
"""Families of which the fast ring makes a part."""


def test_the_page_says_how_many_there_are() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/threat-model.md").read_text(encoding="utf-8")
    figures = dict(re.findall(r"^\| ([^|]+) \| [^|]+ \| ([\d,]+) \|$", page, re.MULTILINE))
    for family, count in Counter(one.family for one in ALL).items():
        if family not in DEALT or os.environ.get("TRADEWIND_TEST_HOSTILE") == "all":
            assert figures[family] == f"{count:,}"
    total = sum(int(count.replace(",", "")) for count in figures.values())
    assert f"| **all** | | **{total:,}** |" in page


WALLS: list[tuple[str, str, Callable[[Any, World], Any], str]] = [
    # what holds the attempts off, their family, what is put in its place, and the attempts that have to get through then
    (
        "tradewind_provider.services.session_authentication.authenticate",
        "credentials",
        lambda wall, world: lambda db, presented, now: wall(db, world.attacker.session, now),
        "POST /poll with a credential: of a session never made",
    ),
    (
        "tradewind_provider.api.auth.dag_access.DagAccessCheck.check",
        "execution API, foreign",
        lambda wall, world: _let_in,
        "GET /dag-runs/{dag_id}/{run_id}",
    ),
    (
        "tradewind_protocol.boundary.admit",
        "execution API, roles",
        lambda wall, world: lambda found, caller, own=None: None,
        "by dag_processor",
    ),
    (
        "tradewind_provider.domain.leases.is_held",
        "execution API, lies",
        lambda wall, world: lambda lease, session_id, epoch: None,
        "with an old epoch",
    ),
    (
        "tradewind_provider.domain.leases.may_finish",
        "leases",
        lambda wall, world: lambda lease, session_id, epoch: leases.Decision.CHANGE,
        "finish the victim's running attempt",
    ),
    (
        "tradewind_provider.services.dags.bundles._refusal",
        "sites",
        lambda wall, world: lambda *_: None,
        "claim the victim's bundle",
    ),
    (
        "tradewind_provider.api.ingress.agent_hosts._is_odd",
        "host names",
        lambda wall, world: lambda name: False,
        "with a user",
    ),
    (
        "tradewind_protocol.boundary.decide",
        "paths",
        lambda wall, world: lambda found, body, rules: Pass(),
        "GET '/connections/plane_conn'",
    ),
    (
        "tradewind_provider.api.ingress.admission.largest",
        "bodies",
        lambda wall, world: lambda path, *, deployment: 2**40,
        "POST /poll of 64 MiB without a length, with a credential",
    ),
    (
        "tradewind_protocol.sessions.LONGEST_FACT",
        "fields",
        lambda wall, world: 2**40,
        "host.hostname = 900 kB of text",
    ),
    (
        "tradewind_provider.airflow.permissions.allowed",
        "operator API",
        lambda wall, world: lambda user, permission: True,
        "by viewer",
    ),
    (
        "tradewind_provider.airflow.dag_bounds.check",
        "Dags",
        lambda wall, world: lambda dag, lazy: None,
        "a task of 2^40 slots",
    ),
]


@pytest.mark.timeout(300)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("family", [family for _, family, _, _ in WALLS])
async def test_without_its_wall_a_family_gets_through(
    world: World, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last in this file: what gets through here is not mended."""
    [(wall, _, instead, named)] = [one for one in WALLS if one[1] == family]
    where, _, name = wall.rpartition(".")
    place = pkgutil.resolve_name(where)
    monkeypatch.setattr(place, name, instead(getattr(place, name), world))
    tried = [one for one in ALL if one.family == family and named in one.name and not one.open]
    assert tried
    # Without its wall, reading a body takes minutes.
    assert any([await breaches(world, one, longest=20) for one in tried[:40]])


def test_every_family_has_a_wall_that_is_broken_once() -> None:
    assert {family for _, family, _, _ in WALLS} == {one.family for one in ALL}
