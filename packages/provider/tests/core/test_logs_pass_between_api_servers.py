"""The reader of a log and its agent may meet at different API servers."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tradewind_protocol import logs as wire
from tradewind_provider.api.agent import logs as route
from tradewind_provider.notifications import peers
from tradewind_provider.services.log_relay import LogRelay, relay

from .log_scenes import ran, sends
from .scenes import Clock, Plane


@pytest.fixture
async def neighbour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LogRelay]:
    """Another API server of this machine, which has the reader."""
    other = LogRelay()
    monkeypatch.setattr(peers, "directory", lambda: tmp_path / "logs")

    async def answer(said: dict[str, Any]) -> dict[str, Any]:
        stream = other.find(UUID(said["stream_id"]), UUID(said["session_id"]))
        return {"wanted": await stream.put(wire.LogPiece.model_validate(said["piece"])) if stream else False}

    async with peers.listening(other.server, answer):
        yield other


async def test_a_piece_is_passed_on_to_the_api_server_that_has_the_reader(
    plane: Plane, clock: Clock, neighbour: LogRelay
) -> None:
    agent = await ran(plane, clock)
    stream = neighbour.open(UUID(agent.session_id), most=10_000)
    wanted = {"server": str(neighbour.server), "stream_id": str(stream.id)}
    assert (await sends(agent, wanted, 0, "from next door", last=True)).json() == {"wanted": False}
    assert list(stream.pieces(silence=1)) == [b"from next door"]


async def test_an_api_server_of_another_machine_sends_the_agent_on(plane: Plane, clock: Clock) -> None:
    agent = await ran(plane, clock)
    answer = await sends(agent, {"server": str(uuid4()), "stream_id": str(uuid4())}, 0, "words")
    assert answer.status_code == 421 and answer.json()["error"] == "misdirected"


async def test_a_neighbour_that_died_without_a_word_is_cleared_away() -> None:
    import socket

    gone = uuid4()
    # Not tmp_path: a unix socket's path may have 107 characters, and pytest's grow with the number of its workers.
    with tempfile.TemporaryDirectory(prefix="tw-") as short:
        place = Path(short)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(place / f"{gone}.sock"))
        assert await peers.ask(gone, {}, place=place) is None
        assert list(place.iterdir()) == []


async def test_what_a_neighbour_says_wrong_is_answered_with_a_refusal() -> None:
    stream = relay().open(uuid4(), most=10)
    said = {
        "stream_id": str(stream.id),
        "session_id": str(stream.session_id),
        "piece": {"server": str(relay().server), "number": 5},
    }
    assert (await route.from_peer(relay(), said))["refusal"]["error"] == "conflict"
    relay().close(stream)
