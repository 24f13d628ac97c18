"""Allowed addresses, and whose word is taken for them."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from tradewind_protocol import paths
from tradewind_protocol.errors import Code, Refused
from tradewind_provider import settings
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.auth.refusal_events import RefusalEvents
from tradewind_provider.api.ingress.address_gate import LiveAddressGate
from tradewind_provider.api.ingress.addresses import AddressCheck
from tradewind_provider.domain.addresses import AddressGate, networks, proxy_warnings
from tradewind_provider.options import OPTIONS
from tradewind_provider.services import allow_list, client_address
from tradewind_provider.store.tables import Setting

from .ingress import GATE, asked, replaced, session_row
from .scenes import NOON, Plane, sessions_of


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("198.51.100.1", ["203.0.113.7"], "198.51.100.1"),  # says so itself
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["203.0.113.7", "198.51.100.1"], "198.51.100.1"),  # the first part may be a lie
        ("10.0.0.1", ["203.0.113.7", "10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["203.0.113.7:50123"], "203.0.113.7"),
        ("10.0.0.1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("10.0.0.1", [" 2001:DB8::7 "], "2001:db8::7"),
        ("10.0.0.1", ["for=someone"], "for=someone"),
    ],
)
def test_only_trusted_proxies_say_where_a_request_comes_from(
    peer: str, forwarded: list[str], source: str
) -> None:
    assert GATE.source_of(peer, forwarded) == source


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        ("10.0.3.17, 10.0.3.18", []),
        ("10.0.3.0/24, fd00::3, 127.0.0.0/8", []),
        ("198.51.0.0/16", []),  # nobody's clients are in a content network's own addresses
        ("10.0.0.0/8, 10.0.3.17", ["10.0.0.0/8"]),
        ("192.168.0.0/23, 172.16.0.0/12", ["192.168.0.0/23", "172.16.0.0/12"]),
        ("0.0.0.0/0", ["0.0.0.0/0"]),  # includes all of them
        ("fd00:1::/64", ["fd00:1::/64"]),
    ],
)
def test_a_network_in_which_clients_live_is_named_with_the_remedy(text: str, wide: list[str]) -> None:
    warnings = proxy_warnings(networks(text))
    assert len(warnings) == len(wide)
    for warning, network in zip(warnings, wide, strict=True):
        assert f"trusted_proxies has {network}," in warning
        assert "exact addresses" in warning


def test_an_exact_address_is_what_keeps_a_client_of_the_same_network_from_claiming_another() -> None:
    forged = ["203.0.113.7", "10.20.0.10"]  # what the client wrote, and what the proxy appended
    exact = AddressGate(networks("203.0.113.0/24"), networks("10.90.0.20"))
    assert not exact.admits(exact.source_of("10.90.0.20", forged))
    wide = AddressGate(networks("203.0.113.0/24"), networks("10.0.0.0/8"))
    assert wide.admits(wide.source_of("10.90.0.20", forged))
    assert proxy_warnings(wide.proxies)


@pytest.mark.parametrize(
    ("source", "admitted"),
    [
        ("203.0.113.200", True),
        ("::ffff:203.0.113.200", True),
        ("2001:db8::1", True),
        ("198.51.100.1", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_only_the_networks_named_are_admitted(source: str, admitted: bool) -> None:
    assert GATE.admits(source) is admitted
    assert AddressGate().admits(source)


async def fixed() -> AddressGate:
    return GATE


async def test_an_agent_from_elsewhere_is_refused_by_name_and_people_are_not() -> None:
    answer = await asked("/remote-execution/v1/poll", peer="198.51.100.1")
    assert (answer.status_code, answer.json()["error"]) == (403, "address_not_allowed")
    assert "198.51.100.1" in answer.json()["message"]
    assert "tradewind allowed-ips add" in answer.json()["remedy"]
    assert (await asked("/api/v2/version", peer="198.51.100.1")).status_code == 200
    assert (await asked("/remote-execution/v1/poll", peer="203.0.113.9")).status_code == 200


async def test_a_probe_of_readiness_is_answered_wherever_it_comes_from() -> None:
    # a load balancer or a node asks: refused, it would take every API server out of service
    assert (await asked(paths.PREFIX + "/readyz", peer="198.51.100.1")).status_code == 200
    assert (await asked(paths.PREFIX + "/readyz/more", peer="198.51.100.1")).status_code == 403


async def test_a_prefix_in_front_of_the_plane_changes_nothing() -> None:
    answer = await asked("/eu/remote-execution/v1/execution/x", peer="198.51.100.1", root="/eu")
    assert answer.status_code == 403


def test_an_address_that_is_none_is_named() -> None:
    options = {name: str(option["default"]) for name, option in OPTIONS.items()}
    with pytest.raises(settings.SettingsError, match="allowed_addresses.*10.0.0"):
        settings.parse(options | {"allowed_addresses": "10.0.0"})


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        (
            "6.6.6.6",
            ["6.6.6.6", "198.51.100.1"],
            "198.51.100.1",
        ),  # the web server believed the client's own word
        ("203.0.113.7", ["203.0.113.7", "10.0.0.2"], "203.0.113.7"),
    ],
)
def test_a_web_server_that_believes_everybody_is_not_believed(
    peer: str, forwarded: list[str], source: str
) -> None:
    assert GATE.source_of(peer, forwarded, rewritten=True) == source


class Tables:
    """Stands for the table of the list."""

    def __init__(self, gate: AddressGate) -> None:
        self.gate: AddressGate | None = gate
        self.asked = 0

    async def read(self) -> AddressGate:
        self.asked += 1
        await asyncio.sleep(0)
        if self.gate is None:
            raise OSError("the database is away")
        return self.gate


async def test_a_change_of_the_list_holds_within_two_seconds_and_asks_once_for_many_requests() -> None:
    moment = 0.0
    tables = Tables(AddressGate())
    live = LiveAddressGate(read=tables.read, monotonic=lambda: moment)
    await asyncio.gather(*(live() for _ in range(20)))
    assert tables.asked == 1
    tables.gate = GATE
    moment = 1.9
    assert (await live()).allowed == ()
    moment = 2.0
    assert (await live()).allowed == GATE.allowed
    tables.gate = AddressGate()
    live.expire()  # this server made the change itself
    assert (await live()).allowed == ()


async def test_the_last_list_known_holds_while_the_database_is_away_and_none_means_nobody() -> None:
    moment = 0.0
    tables = Tables(GATE)
    live = LiveAddressGate(read=tables.read, monotonic=lambda: moment)
    await live()
    tables.gate = None
    moment = 100.0
    assert (await live()).allowed == GATE.allowed
    with pytest.raises(Refused) as refused:
        await LiveAddressGate(read=tables.read)()
    assert refused.value.code is Code.UNAVAILABLE


async def test_an_answer_held_while_the_list_changed_does_not_leave() -> None:
    gate, poll = AddressGate(), asyncio.Event()
    held = asyncio.Event()
    inner = FastAPI()

    @inner.post("/remote-execution/v1/poll")
    async def waits() -> str:
        held.set()
        await poll.wait()
        return "an offer"

    async def now() -> AddressGate:
        return gate

    transport = httpx.ASGITransport(
        AddressCheck(inner, gate=now, refusal_events=RefusalEvents(), proxies=AddressGate),
        client=("198.51.100.1", 1),
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://plane") as client:
        answer = asyncio.create_task(client.post("/remote-execution/v1/poll"))
        await held.wait()
        gate = GATE
        poll.set()
        assert (await answer).json()["error"] == "address_not_allowed"
        assert "an offer" not in (await answer).text


async def test_a_request_that_is_held_ends_when_the_list_no_longer_admits_it() -> None:
    gate = AddressGate()
    ended = asyncio.Event()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await ended.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"too late"})

    async def now() -> AddressGate:
        return gate

    app = AddressCheck(inner, gate=now, refusal_events=RefusalEvents(), proxies=AddressGate, look_every=0.05)
    path = paths.PREFIX + "/poll"
    async with (
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=("198.51.100.1", 1)), base_url="http://a"
        ) as one,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=("10.0.0.1", 1)), base_url="http://a"
        ) as two,
    ):
        turned_away = asyncio.create_task(one.post(path))
        stays = asyncio.create_task(two.post(path))
        await asyncio.sleep(0.2)
        assert not turned_away.done()
        gate = AddressGate(networks("10.0.0.0/8"))
        await asyncio.sleep(0.2)
        assert not stays.done()
        ended.set()  # httpx hands over an answer when the application is through; a server does when it is sent
        answer = await turned_away
        assert (answer.status_code, answer.json()["error"]) == (403, "address_not_allowed")
        assert (await stays).text == "too late"


async def test_over_a_connection_the_refusal_comes_at_once() -> None:
    gate = AddressGate()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(30)

    async def now() -> AddressGate:
        return gate

    app = AddressCheck(inner, gate=now, refusal_events=RefusalEvents(), proxies=AddressGate, look_every=0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=0)
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            held = asyncio.create_task(client.post(paths.PREFIX + "/poll", timeout=10))
            await asyncio.sleep(0.3)
            gate = AddressGate(networks("10.0.0.0/8"))
            answer = await held
        server.should_exit = True
        await serving
    assert (answer.status_code, answer.json()["error"]) == (403, "address_not_allowed")


async def test_everything_a_request_does_knows_where_it_came_from() -> None:
    inner = FastAPI()

    @inner.get("/tradewind/v1/me")
    def in_a_thread() -> str:
        return client_address.address()

    transport = httpx.ASGITransport(
        AddressCheck(inner, gate=fixed, refusal_events=RefusalEvents(), proxies=lambda: GATE),
        client=("10.0.0.1", 1),
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://plane") as client:
        answer = await client.get("/tradewind/v1/me", headers={"X-Forwarded-For": "6.6.6.6, 198.51.100.9"})
    assert answer.json() == "198.51.100.9"
    assert client_address.address() == ""


def in_force() -> list[str]:
    with create_session() as db:
        return [str(one) for one in allow_list.read(db, initial=networks("192.0.2.0/24")).networks]


def test_a_list_that_was_set_before_there_were_private_endpoints_is_read() -> None:
    replaced("203.0.113.0/24")
    with create_session() as db:
        row = db.get(Setting, allow_list.NAME)
        assert row is not None
        row.value = [{"network": "203.0.113.0/24", "description": "office"}]
    with create_session() as db:
        found = allow_list.read(db, initial=())
    assert [(str(one.network), one.description) for one in found.entries] == [("203.0.113.0/24", "office")]
    assert (found.endpoints, found.private_only) == ((), False)


def test_the_configuration_counts_until_somebody_sets_the_list_even_to_nothing() -> None:
    assert in_force() == ["192.0.2.0/24"]
    replaced("203.0.113.0/24")
    assert in_force() == ["203.0.113.0/24"]
    assert replaced().revision == 2
    assert in_force() == []


def test_a_list_without_its_author_is_refused_unless_forced() -> None:
    with pytest.raises(Refused) as refused:
        replaced("10.0.0.0/8", address="203.0.113.1")
    assert refused.value.code is Code.CONFLICT
    assert "203.0.113.1" in refused.value.refusal.message
    assert in_force() == ["192.0.2.0/24"]
    replaced("10.0.0.0/8", address="203.0.113.1", force=True)
    assert in_force() == ["10.0.0.0/8"]


def test_a_list_that_locks_out_any_connected_agent_is_refused_unless_forced() -> None:
    session_row("eu-1", "10.0.0.7")
    session_row("eu-2", "2001:db8::7")
    session_row("gone", "203.0.113.9", ended_at=NOON, ended_how="goodbye")
    replaced()
    with pytest.raises(Refused) as refused:
        replaced("203.0.113.0/24", "2001:db8::/64")
    assert refused.value.refusal.detail["locked_out"] == ["eu-1"]
    assert "connected agents: eu-1" in refused.value.refusal.message
    replaced("203.0.113.0/24", "2001:db8::/64", "10.0.0.0/24")
    replaced("203.0.113.0/24", "2001:db8::/64", force=True)
    with create_session() as db:
        assert allow_list.locked_out(db, AddressGate(networks("2001:db8::/64"))) == ["eu-1"]


def test_an_agent_that_is_locked_out_already_keeps_no_list_from_being_set() -> None:
    session_row("eu-1", "10.0.0.7")
    session_row("eu-2", "2001:db8::7")
    replaced("2001:db8::/32", "203.0.113.0/24", force=True)
    replaced("2001:db8::/64", "203.0.113.0/24")
    with pytest.raises(Refused) as refused:
        replaced("203.0.113.0/24")
    assert refused.value.refusal.detail["locked_out"] == ["eu-2"]


def test_a_list_that_somebody_else_changed_meanwhile_is_not_overwritten() -> None:
    first = replaced("203.0.113.0/24", revision=0)
    replaced("203.0.113.0/24", "10.0.0.0/8", revision=first.revision)
    with pytest.raises(Refused) as refused:
        replaced("203.0.113.0/24", "172.16.0.0/12", revision=first.revision)
    assert refused.value.refusal.detail["revision"] == 2
    assert in_force() == ["203.0.113.0/24", "10.0.0.0/8"]
    assert replaced("203.0.113.0/24", "10.0.0.0/8").revision == 2  # the same again is no change


async def test_where_an_agent_is_heard_from_is_known(plane: Plane) -> None:
    token = client_address.ADDRESS.set("203.0.113.7")
    agent = await plane.agent().opens()
    assert sessions_of(agent.agent_id)[0].address == "203.0.113.7"
    client_address.ADDRESS.set("203.0.113.8")
    await agent.poll()
    client_address.ADDRESS.reset(token)
    assert sessions_of(agent.agent_id)[0].address == "203.0.113.8"
