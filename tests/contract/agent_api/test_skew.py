"""The agent's real client and a plane of another version: one minor apart they work, further apart both are named."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tradewind_agent.errors import RefusedForGood
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.plane.credentials import AgentToken
from tradewind_protocol import paths, versions
from tradewind_protocol.attempts import Outcome
from tradewind_protocol.polling import Poll, Room
from tradewind_protocol.states import OutcomeKind
from tradewind_protocol.versions import PROTOCOL, Version

from .planes import PlaneUnderTest


class OtherVersion(httpx.AsyncBaseTransport):
    """Makes the agent one of another version: it says so, and sends fields that only that version knows. With
    `answers`, the plane's answers have fields of a later version, too."""

    def __init__(self, inner: httpx.AsyncBaseTransport, version: Version, *, answers: bool = False) -> None:
        self._inner, self._version, self._answers = inner, version, answers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = {**request.headers, versions.HEADER.lower(): str(self._version)}
        content = await request.aread()
        if content:
            content = json.dumps(later(json.loads(content))).encode()
        headers.pop("content-length", None)
        response = await self._inner.handle_async_request(
            httpx.Request(request.method, request.url, headers=headers, content=content)
        )
        body = await response.aread()
        if self._answers and body:
            body = json.dumps(later(json.loads(body))).encode()
        headers = {**response.headers}
        headers.pop("content-length", None)
        return httpx.Response(response.status_code, headers=headers, content=body, request=request)


def later(value: Any) -> Any:
    if isinstance(value, dict):
        return {**{name: later(one) for name, one in value.items()}, "of_a_later_version": {"deep": [1]}}
    return [later(one) for one in value] if isinstance(value, list) else value


async def client_of(plane: PlaneUnderTest, version: Version, **more: Any) -> PlaneClient:
    agent = await plane.agent()
    client = PlaneClient(
        url=plane.address,
        token=AgentToken(value=SecretStr(plane.secret)),
        introduction=agent.introduction,
        transport=OtherVersion(plane.network, version, **more),
    )
    return await plane.stack.enter_async_context(client)


async def work_goes_through(plane: PlaneUnderTest, client: PlaneClient) -> None:
    attempt = plane.queue()
    room = Room(environment="main", queues=("default",), free=1)
    (offer,) = (await client.poll(Poll(room=(room,), hold=0))).offers
    assert offer.attempt_id == attempt
    assert (await client.start(offer)).epoch == offer.epoch
    outcome = Outcome(epoch=offer.epoch, kind=OutcomeKind.SUCCEEDED)
    await client.deliver(
        "POST",
        paths.finish(attempt),
        {"Content-Type": "application/json"},
        outcome.model_dump_json().encode(),
    )
    assert (plane.state(attempt), plane.outcome(attempt)) == ("finished", "succeeded")
    await client.close_session()


async def test_an_agent_one_minor_ahead_works(plane: PlaneUnderTest) -> None:
    client = await client_of(plane, Version(PROTOCOL.major, PROTOCOL.minor + 1))
    await work_goes_through(plane, client)


async def test_an_agent_one_minor_behind_works(
    plane: PlaneUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await client_of(plane, PROTOCOL, answers=True)
    with monkeypatch.context() as patch:
        patch.setattr(versions, "PROTOCOL", Version(PROTOCOL.major, PROTOCOL.minor + 1))
        await work_goes_through(plane, client)


@pytest.mark.parametrize(
    "agents", [Version(PROTOCOL.major, PROTOCOL.minor + 2), Version(PROTOCOL.major + 1, 0)], ids=str
)
async def test_an_agent_too_far_ahead_ends_with_both_versions_and_who_has_to_be_upgraded(
    plane: PlaneUnderTest, agents: Version
) -> None:
    client = await client_of(plane, agents)
    with pytest.raises(RefusedForGood) as ended:
        await client.ensure_session()
    assert ended.value.exit_code == 3
    assert f"agent speaks protocol {agents}, plane speaks {PROTOCOL}" in str(ended.value)
    assert "upgrade the orchestration plane" in str(ended.value)


@pytest.mark.parametrize(
    "planes", [Version(PROTOCOL.major, PROTOCOL.minor + 2), Version(PROTOCOL.major + 1, 0)], ids=str
)
async def test_an_agent_too_far_behind_ends_with_both_versions_and_who_has_to_be_upgraded(
    plane: PlaneUnderTest, monkeypatch: pytest.MonkeyPatch, planes: Version
) -> None:
    client = await client_of(plane, PROTOCOL)
    monkeypatch.setattr(versions, "PROTOCOL", planes)
    with pytest.raises(RefusedForGood) as ended:
        await client.ensure_session()
    assert f"agent speaks protocol {PROTOCOL}, plane speaks {planes}" in str(ended.value)
    assert "upgrade the agent" in str(ended.value)


async def test_a_plane_upgraded_under_a_running_agent_ends_it_the_same_way(
    plane: PlaneUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await client_of(plane, PROTOCOL)
    await client.ensure_session()
    monkeypatch.setattr(versions, "PROTOCOL", Version(PROTOCOL.major, PROTOCOL.minor + 2))
    with pytest.raises(RefusedForGood, match="upgrade the agent"):
        await client.poll(Poll(hold=0))
