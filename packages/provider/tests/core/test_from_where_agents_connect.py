"""Allowed addresses, and whose word is taken for them."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from tradewind_provider import settings
from tradewind_provider.api.addresses import AddressCheck
from tradewind_provider.domain.addresses import Gate, networks
from tradewind_provider.options import OPTIONS

GATE = Gate(networks("203.0.113.0/24, 2001:db8::/32"), networks("10.0.0.0/8"))


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
    assert Gate().admits(source)


async def fixed() -> Gate:
    return GATE


async def asked(path: str, *, peer: str, root: str = "") -> httpx.Response:
    inner = FastAPI()

    @inner.get("/{rest:path}")
    def anything(rest: str) -> str:
        return "inside"

    transport = httpx.ASGITransport(AddressCheck(inner, gate=fixed, proxies=lambda: GATE), client=(peer, 1), root_path=root)
    async with httpx.AsyncClient(transport=transport, base_url="http://plane") as client:
        return await client.get(path)


async def test_an_agent_from_elsewhere_is_refused_by_name_and_people_are_not() -> None:
    answer = await asked("/remote-execution/v1/poll", peer="198.51.100.1")
    assert (answer.status_code, answer.json()["error"]) == (403, "address_not_allowed")
    assert "198.51.100.1" in answer.json()["message"]
    assert "tradewind allowed-ips add" in answer.json()["remedy"]
    assert (await asked("/api/v2/version", peer="198.51.100.1")).status_code == 200
    assert (await asked("/remote-execution/v1/poll", peer="203.0.113.9")).status_code == 200


async def test_a_prefix_in_front_of_the_plane_changes_nothing() -> None:
    answer = await asked("/eu/remote-execution/v1/execution/x", peer="198.51.100.1", root="/eu")
    assert answer.status_code == 403


def test_an_address_that_is_none_is_named() -> None:
    options = {name: str(option["default"]) for name, option in OPTIONS.items()}
    with pytest.raises(settings.SettingsError, match="allowed_addresses.*10.0.0"):
        settings.parse(options | {"allowed_addresses": "10.0.0"})
