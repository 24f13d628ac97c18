"""Private endpoints: whose word is taken for them, what the list admits, and what locks agents out."""

from __future__ import annotations

import pytest

from tradewind_protocol import paths
from tradewind_protocol.errors import Refused
from tradewind_provider.airflow.database import create_session
from tradewind_provider.domain.addresses import AddressGate, networks
from tradewind_provider.services import allow_list, client_address

from .ingress import asked, replaced, session_row
from .scenes import NOON, Plane, sessions_of

AWS, AZURE = "aws:vpce-08d2bf15fac5001c9", "azure:3735928559"
GATEWAY = "10.90.0.20"
BY_ENDPOINT = AddressGate(
    networks("10.20.0.0/16"), networks(GATEWAY), networks(GATEWAY), frozenset({AWS}), private_only=False
)
POLL = "/remote-execution/v1/poll"


def by(*endpoints: str) -> list[tuple[str, str]]:
    return [("X-Forwarded-For", "10.20.0.10"), *((paths.ENDPOINT_HEADER, one) for one in endpoints)]


async def test_two_customers_with_the_same_address_are_told_apart_by_their_endpoints() -> None:
    allowed = await asked(POLL, peer=GATEWAY, gate=BY_ENDPOINT, headers=by(AWS))
    assert allowed.json() == f"10.20.0.10 by {AWS}"
    # the address is one of an allowed network, and another customer's: networks admit nothing that came by an endpoint
    other = await asked(POLL, peer=GATEWAY, gate=BY_ENDPOINT, headers=by(AZURE))
    assert (other.status_code, other.json()["error"]) == (403, "address_not_allowed")
    assert f"the private endpoint {AZURE} (from 10.20.0.10)" in other.json()["message"]
    assert f"tradewind private-endpoints add {AZURE}" in other.json()["remedy"]


@pytest.mark.parametrize("said", [[], [AWS, AWS], [AWS, "public"], ["azure:x"], [""], [f"{AWS}, {AZURE}"]])
async def test_what_a_gateway_says_badly_admits_nothing(said: list[str]) -> None:
    answer = await asked(POLL, peer=GATEWAY, gate=BY_ENDPOINT, headers=by(*said))
    assert answer.status_code == 403
    assert "not readable" in answer.json()["message"]


async def test_a_gateway_says_so_of_a_request_that_came_the_public_way() -> None:
    answer = await asked(POLL, peer=GATEWAY, gate=BY_ENDPOINT, headers=by("public"))
    assert answer.json() == "10.20.0.10"
    shut = AddressGate((), networks(GATEWAY), networks(GATEWAY), frozenset({AWS}), True)
    refused = await asked(POLL, peer=GATEWAY, gate=shut, headers=by("public"))
    assert "by private endpoints only" in refused.json()["message"]


async def test_what_another_client_says_of_its_endpoint_is_not_believed() -> None:
    answer = await asked(POLL, peer="198.51.100.1", gate=BY_ENDPOINT, headers=by(AWS))
    assert answer.status_code == 403
    assert "from 198.51.100.1" in answer.json()["message"]
    only_a_proxy = AddressGate((), networks(GATEWAY), (), frozenset({AWS}), private_only=True)
    assert (await asked(POLL, peer=GATEWAY, gate=only_a_proxy, headers=by(AWS))).status_code == 403


async def test_behind_a_web_server_that_hides_the_peer_an_endpoint_is_neither_believed_nor_overlooked() -> (
    None
):
    answer = await asked(POLL, peer="10.20.0.10", port=0, gate=BY_ENDPOINT, headers=by(AWS))
    assert answer.status_code == 403
    assert "--proxy-headers" in answer.json()["remedy"]


async def test_while_the_public_way_is_shut_only_allowed_endpoints_pass() -> None:
    shut = AddressGate(
        networks("203.0.113.0/24"), networks(GATEWAY), networks(GATEWAY), frozenset({AWS}), True
    )
    answer = await asked(POLL, peer="203.0.113.9", gate=shut)
    assert answer.status_code == 403
    assert "by private endpoints only" in answer.json()["message"]
    assert "doctor --expect-private" in answer.json()["remedy"]
    assert (await asked(POLL, peer=GATEWAY, gate=shut, headers=by(AWS))).status_code == 200


@pytest.mark.parametrize(
    ("gate", "public", "by_endpoint"),
    [
        (AddressGate(), True, True),
        (AddressGate(networks("10.0.0.0/8")), True, False),  # a list of networks is for the public way
        (AddressGate(endpoints=frozenset({AWS})), True, True),
        (AddressGate(endpoints=frozenset({AZURE})), True, False),
        (AddressGate(private_only=True), False, False),
    ],
)
def test_which_way_a_list_admits(gate: AddressGate, public: bool, by_endpoint: bool) -> None:
    assert (gate.admits("10.0.0.7"), gate.admits("10.0.0.7", AWS)) == (public, by_endpoint)


def replaced_ways(
    *endpoints: str, private_only: bool | None = None, force: bool = False
) -> allow_list.AllowList:
    change = allow_list.AllowListChange(
        endpoints=[allow_list.parsed_endpoint(one, "site") for one in endpoints],
        private_only=private_only,
        force=force,
    )
    with create_session() as db:
        return allow_list.replace(db, change, actor="ada", address="198.51.100.9", initial=(), now=NOON)


def test_the_public_way_is_not_shut_while_an_agent_uses_it() -> None:
    session_row("eu-1", "10.20.0.10", endpoint=AWS)
    session_row("us-1", "203.0.113.9")
    replaced_ways(AWS)
    with pytest.raises(Refused) as refused:
        replaced_ways(AWS, private_only=True)
    assert refused.value.refusal.detail["locked_out"] == ["us-1"]
    found = replaced_ways(AWS, private_only=True, force=True)
    assert (found.private_only, found.revision) == (True, 2)
    assert replaced_ways(AWS).revision == 2  # what is not named stays


def test_an_endpoint_is_not_removed_while_an_agent_uses_it() -> None:
    session_row("eu-1", "10.20.0.10", endpoint=AWS)
    session_row("us-1", "10.20.0.10", endpoint=AZURE)
    replaced_ways(AWS, AZURE)
    with pytest.raises(Refused) as refused:
        replaced_ways(AZURE)
    assert refused.value.refusal.detail["locked_out"] == ["eu-1"]
    replaced_ways(AZURE, force=True)
    with create_session() as db:
        found = allow_list.read(db, initial=())
        assert [one.endpoint for one in found.endpoints] == [AZURE]
        assert allow_list.locked_out(db, found.gate(AddressGate())) == ["eu-1"]


def test_a_network_does_not_lock_out_agents_behind_endpoints_unless_it_is_the_first_list() -> None:
    session_row("eu-1", "10.20.0.10", endpoint=AWS)
    replaced_ways(AWS)
    assert replaced("203.0.113.0/24").revision == 2
    assert replaced_ways(AWS).entries[0].network == networks("203.0.113.0/24")[0]


async def test_by_which_endpoint_an_agent_is_heard_is_known(plane: Plane) -> None:
    token = client_address.ENDPOINT.set(AWS)
    agent = await plane.agent().opens()
    assert sessions_of(agent.agent_id)[0].endpoint == AWS
    client_address.ENDPOINT.set(AZURE)
    await agent.poll()
    assert sessions_of(agent.agent_id)[0].endpoint == AZURE
    client_address.ENDPOINT.reset(token)
    await agent.poll()
    assert sessions_of(agent.agent_id)[0].endpoint is None
