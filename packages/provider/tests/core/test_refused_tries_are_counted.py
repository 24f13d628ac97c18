"""What the plane keeps of agents that it refused: bounded, by where they came from, and without their credentials."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI, Request
from sqlalchemy import func, select

from tradewind_protocol import paths, versions
from tradewind_protocol.errors import Code, Refusal, Refused
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api import problems
from tradewind_provider.api.auth import credentials
from tradewind_provider.api.auth.refusal_events import RefusalEvents
from tradewind_provider.api.ingress.addresses import AddressCheck
from tradewind_provider.api.ingress.agent_hosts import AgentHosts
from tradewind_provider.api.ingress.refused_tries import MOST, RefusedTries
from tradewind_provider.api.refusals import Seen
from tradewind_provider.domain.addresses import AddressGate, networks
from tradewind_provider.services import allow_list, refused_tries
from tradewind_provider.services.operator import connectivity
from tradewind_provider.services.refused_tries import Tally
from tradewind_provider.store.tables import RefusedTry

from .ingress import session_row
from .scenes import NOON

SECRET = "tw_agent_" + "s" * 43
AWS = "aws:vpce-08d2bf15fac5001c9"
GATE = AddressGate(networks("203.0.113.0/24"), gateways=networks("10.0.0.3"), proxies=networks("10.0.0.3"))


class Written:
    """Stands for the table."""

    def __init__(self) -> None:
        self.tallies: list[Tally] = []

    async def __call__(self, tallies: Sequence[Tally]) -> None:
        self.tallies += tallies


async def asked(
    path: str, *, peer: str, host: str = "plane", headers: Sequence[tuple[str, str]] = ()
) -> list[Tally]:
    """What is counted of a request to an API server whose verbs want a token."""
    inner = FastAPI()
    problems.install(inner)

    @inner.post(paths.PREFIX + "/sessions")
    def opens(request: Request) -> None:
        credentials.check_protocol(request.headers.get(versions.HEADER))
        token = credentials.bearer(request.headers.get("authorization"))
        raise Refused(Code.TOKEN_UNKNOWN, f"no agent token of this Deployment is {token}")

    async def gate() -> AddressGate:
        return GATE

    written = Written()
    tries = RefusedTries(clock=lambda: NOON, every=0, write=written)
    app = AgentHosts(
        AddressCheck(
            inner, gate=gate, refusal_events=RefusalEvents(), refused_tries=tries, proxies=lambda: GATE
        ),
        hosts=lambda: ("k3.external.example.com",),
        refused_tries=tries,
        proxies=lambda: GATE,
    )
    transport = httpx.ASGITransport(app, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        await client.post(path, headers=list(headers))
    await tries.flush()
    return written.tallies


VERB = paths.PREFIX + "/sessions"
BEARER = ("Authorization", f"Bearer {SECRET}")


@pytest.mark.parametrize(
    ("path", "peer", "headers", "code", "way"),
    [
        (VERB, "198.51.100.1", [BEARER], "address_not_allowed", ("198.51.100.1", "")),
        (VERB, "203.0.113.7", [], "token_missing", ("203.0.113.7", "")),
        (VERB, "203.0.113.7", [BEARER], "token_unknown", ("203.0.113.7", "")),
        (VERB, "203.0.113.7", [BEARER, (versions.HEADER, "99.0")], "version_skew", ("203.0.113.7", "")),
        (paths.PREFIX + "/nothing", "203.0.113.7", [BEARER], "not_found", ("203.0.113.7", "")),
        (
            VERB,
            "10.0.0.3",
            [(paths.ENDPOINT_HEADER, AWS), ("X-Forwarded-For", "10.20.0.10")],
            "address_not_allowed",
            ("10.20.0.10", AWS),
        ),
    ],
)
async def test_each_kind_of_refusal_is_counted_with_the_way_that_it_came(
    path: str, peer: str, headers: list[tuple[str, str]], code: str, way: tuple[str, str]
) -> None:
    (found,) = await asked(path, peer=peer, headers=headers)
    assert (found.code, found.source, found.endpoint, found.tries) == (code, *way, 1)
    assert SECRET not in repr(found)
    assert found.version == ("99.0" if code == "version_skew" else "")


async def test_a_wrong_path_on_a_name_for_agents_is_counted_with_the_path() -> None:
    (found,) = await asked("/d4f2" + VERB, peer="203.0.113.7", host="k3.external.example.com")
    assert (found.code, found.path) == ("not_found", "/d4f2" + VERB)


async def test_what_is_no_agents_is_not_counted() -> None:
    assert await asked("/api/v2/version", peer="198.51.100.1") == []


async def test_a_token_in_a_path_is_not_kept() -> None:
    (found,) = await asked(f"/{SECRET}/x", peer="203.0.113.7", host="k3.external.example.com")
    assert SECRET[12:] not in repr(found)
    assert found.path == "/tw_…/x"


async def test_a_flood_of_addresses_takes_no_more_than_its_share_and_one_address_a_number() -> None:
    written = Written()
    tries = RefusedTries(clock=lambda: NOON, every=3600, write=written)
    seen = Seen(Refusal(error=Code.TOKEN_UNKNOWN, message="unknown"))
    for _ in range(1000):
        tries.note(seen, source="198.51.100.1", endpoint="", path=VERB)
    for number in range(10_000):
        tries.note(seen, source=f"10.{number >> 8}.{number & 255}.1", endpoint="", path=VERB)
    await tries.flush()
    assert len(written.tallies) == MOST
    assert (written.tallies[0].source, written.tallies[0].tries) == ("198.51.100.1", 1000)


def tally(
    source: str, *, code: str = "token_unknown", endpoint: str = "", tries: int = 1, after: float = 0
) -> Tally:
    return Tally(source, endpoint, code, "no such token", VERB, "1.0", tries, NOON + timedelta(seconds=after))


def test_the_table_is_bounded_and_the_oldest_rows_go_first() -> None:
    with create_session() as db:
        for start in range(0, refused_tries.MOST + 100, 50):
            many = [tally(f"10.0.{start}.{n}", after=start + n) for n in range(50)]
            refused_tries.record(db, many, now=NOON)
        assert db.scalar(select(func.count()).select_from(RefusedTry)) == refused_tries.MOST
        assert refused_tries.last(db, source="10.0.0.0") == []
        refused_tries.forget(db, now=NOON + timedelta(days=8))
        assert refused_tries.last(db) == []


def test_tries_that_are_alike_are_one_row() -> None:
    with create_session() as db:
        refused_tries.record(db, [tally("203.0.113.7", tries=3)], now=NOON)
        refused_tries.record(db, [tally("203.0.113.7", tries=2, after=60)], now=NOON)
        (found,) = refused_tries.last(db, source="203.0.113.7")
        assert (found.tries, found.first_at, found.last_at) == (5, NOON, NOON + timedelta(seconds=60))


def checked(source: str = "", endpoint: str = "") -> connectivity.operator.Connectivity:
    with create_session() as db:
        return connectivity.check(db, source=source, endpoint=endpoint, configured=GATE)


def test_the_verdict_says_what_a_person_has_to_do() -> None:
    assert "tradewind-agent doctor" in checked("203.0.113.7").remedy  # nothing arrives
    shut = checked("198.51.100.1")
    assert (shut.admitted, shut.why) == (False, "198.51.100.1 is not in an allowed network")
    with create_session() as db:
        refused_tries.record(db, [tally("203.0.113.7"), tally("10.20.0.10", endpoint=AWS, after=1)], now=NOON)
    found = checked("203.0.113.7")
    assert (
        found.verdict == "Requests from there reach the plane, and the last one was refused: no such token."
    )
    assert "copied whole" in found.remedy
    session_row("eu-1", "203.0.113.8")
    assert checked("203.0.113.8").verdict == "Agents are connected from there: eu-1."
    by_endpoint = checked(endpoint=AWS)
    assert (by_endpoint.admitted, [one.source for one in by_endpoint.refused]) == (False, ["10.20.0.10"])
    assert [one.source for one in checked().refused] == ["10.20.0.10", "203.0.113.7"]


def test_an_address_behind_an_endpoint_is_not_the_same_address_of_the_public_way() -> None:
    with create_session() as db:
        refused_tries.record(db, [tally("10.20.0.10", endpoint=AWS), tally("10.20.0.10")], now=NOON)
    assert [one.endpoint for one in checked("10.20.0.10", AWS).refused] == [AWS]


def test_private_endpoints_alone_leave_the_public_way_open() -> None:
    change = allow_list.AllowListChange([], [allow_list.parsed_endpoint(AWS)], private_only=True)
    with create_session() as db:
        allow_list.replace(db, change, actor="ada", address="", initial=(), now=NOON)
    assert (
        checked("203.0.113.7").why == "the public way is shut: agents may connect by private endpoints only"
    )
    assert checked(endpoint=AWS).why == f"the private endpoint {AWS} is on the Deployment's list"
