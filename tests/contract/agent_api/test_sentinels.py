"""A sentinel and the real plane: what it reports is what people read, and its relay is the plane's own answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.sentinel.composition import Sentinel
from tradewind_agent.sentinel.settings import SentinelSettings
from tradewind_protocol.ids import TokenKind

from . import planes


@pytest.fixture(params=["real", "nginx"])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[planes.RealPlaneUnderTest]:
    async with planes.named(request) as one:
        yield one  # type: ignore[misc]


def sentinel_at(plane: planes.RealPlaneUnderTest, state_dir: Path, kind: TokenKind) -> Sentinel:
    from tradewind_provider.airflow.database import create_session
    from tradewind_provider.services import tokens

    with create_session() as db:
        made = tokens.create(
            db,
            name=f"watch-{kind.value}",
            kind=kind,
            expires_in_days=None,
            created_by="ada",
            now=plane.now,
            limit=50,
        )
    settings = SentinelSettings(
        plane_url=plane.address,
        token=made.secret,
        name="lab",
        platform="machine",
        units=(),
        state_dirs=(state_dir,),
        port=0,
    )
    return Sentinel(settings, transport=plane.network, now=lambda: plane.now.timestamp())


async def test_a_report_of_a_dead_agent_is_what_the_owner_reads(
    plane: planes.RealPlaneUnderTest, tmp_path: Path
) -> None:
    from tradewind_provider.airflow.database import create_session
    from tradewind_provider.services.operator import sentinels
    from tradewind_provider.services.operator.pages import PageRequest

    status = {"at": plane.now.isoformat(), "agent": {"name": "eu-1", "pid": 2**22 + 1}, "plane": {}}
    (tmp_path / "status.json").write_text(json.dumps(status))
    sentinel = sentinel_at(plane, tmp_path, TokenKind.SENTINEL)
    for _ in range(2):  # sent twice is once
        assert (await sentinel._send(await sentinel.evaluate())).every == 30.0
    with create_session() as db:
        found = sentinels.findings(db, PageRequest(limit=10), now=plane.now).items
    assert [(one.sentinel, one.check, one.subject) for one in found] == [("lab", "stopped", "eu-1")]


async def test_the_relay_answers_as_the_plane_does(plane: planes.RealPlaneUnderTest, tmp_path: Path) -> None:
    plane.queue("gpu")
    plane.queue("train")
    sentinel = sentinel_at(plane, tmp_path, TokenKind.SENTINEL)
    status, body = await sentinel._backlog("queue=gpu&queue=train")
    assert (status, json.loads(body)["work"]) == (200, 2)


async def test_a_refused_report_says_the_planes_sentence(
    plane: planes.RealPlaneUnderTest, tmp_path: Path
) -> None:
    from tradewind_provider.airflow.database import create_session
    from tradewind_provider.services import tokens

    sentinel = sentinel_at(plane, tmp_path, TokenKind.SENTINEL)
    with create_session() as db:
        (token,) = [one for one in tokens.listed(db) if one.name == "watch-sentinel"]
        tokens.delete(db, token.id, deleted_by="ada", now=plane.now)
    with pytest.raises(PlaneUnreachable, match="'watch-sentinel' was deleted"):
        await sentinel._send(await sentinel.evaluate())
