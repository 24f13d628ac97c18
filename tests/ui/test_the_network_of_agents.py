"""By which way agents come, what was refused of them, and by which ways they may come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from support.talkers import client

ENDPOINT = "azure:3735928559"


@pytest.fixture
def open_to_all(plane: Any) -> Iterator[None]:
    """Whatever a test allows is forgotten after it."""
    yield
    with plane.client() as http:
        nothing = {"networks": [], "endpoints": [], "private_only": False, "force": True}
        http.put("/tradewind/v1/allowed-addresses", json=nothing).raise_for_status()


def check(page: Any, *, address: str = "", endpoint: str = "") -> None:
    form = page.get_by_role("region", name="Check connectivity")
    form.get_by_label("Address", exact=True).fill(address)
    form.get_by_label("Private endpoint", exact=True).fill(endpoint)
    form.get_by_role("button", name="Check", exact=True).click()


def test_the_page_of_an_agent_says_by_which_way_it_comes_and_what_was_refused_of_that_way(
    open_page: Any, plane: Any, stand: Any
) -> None:
    stand.agent("tours")
    stand.agent("lyon", endpoint=ENDPOINT, address="10.20.0.8")
    with client(plane, endpoint=ENDPOINT, address="10.20.0.8") as http:
        http.headers["Authorization"] = "Bearer tw_agent_" + "x" * 43
        assert http.post("/sessions", json={}).status_code == 401
    page = open_page()
    page.get_by_role("link", name="lyon", exact=True).click()
    expect(page.get_by_text(f"Private endpoint {ENDPOINT}, from 10.20.0.8")).to_be_visible()
    expect(page.get_by_text(re.compile("Last refused from there .*token"))).to_be_visible(timeout=20_000)
    page = open_page()
    page.get_by_role("link", name="tours", exact=True).click()
    expect(page.get_by_text("Public, from 127.0.0.1")).to_be_visible()


def test_an_agent_that_is_refused_is_seen_where_connectivity_is_checked(open_page: Any, plane: Any) -> None:
    with client(plane, endpoint=ENDPOINT, address="10.20.0.9") as http:
        http.headers["Authorization"] = "Bearer tw_agent_" + "x" * 43
        assert http.post("/sessions", json={}).status_code == 401
        assert http.get("/nothing").status_code == 404
    page = open_page("addresses")
    tries = page.get_by_role("region", name="Refused tries")
    wrong_path = tries.get_by_role("row").filter(has_text="not found")
    expect(wrong_path).to_contain_text("plane_url")
    expect(wrong_path).to_contain_text(f"by {ENDPOINT}")
    check(page, address="10.20.0.9")
    expect(page.get_by_text("Requests from there reach the plane")).to_be_visible()
    expect(tries).to_contain_text("10.20.0.9")
    check(page, address="192.0.2.9")
    expect(page.get_by_text("The plane has seen no agent from there.")).to_be_visible()
    check(page, endpoint="aws:vpce-08d2bf15fac5001c9")
    expect(page.get_by_text("The plane has seen no agent from there.")).to_be_visible()


def test_a_private_endpoint_is_allowed_and_the_public_way_is_shut(
    open_page: Any, plane: Any, stand: Any, open_to_all: None
) -> None:
    stand.agent("nantes", endpoint=ENDPOINT, address="10.20.0.10")
    stand.agent("brest")
    page = open_page("addresses")
    page.get_by_role("button", name="Add private endpoint").click()
    dialog = page.get_by_role("dialog", name="Add private endpoint")
    dialog.get_by_label("Private endpoint").fill(ENDPOINT)
    dialog.get_by_label("Name").fill("Nantes")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("region", name="Allowed private endpoints")).to_contain_text("Nantes")

    page.get_by_role("button", name="Shut the public way").click()
    dialog = page.get_by_role("alertdialog", name="Shut the public way")
    dialog.get_by_role("button", name="Shut", exact=True).click()
    expect(dialog).to_contain_text("brest")  # it would be locked out
    dialog.get_by_label("Apply even if this locks out connected agents").check(force=True)
    dialog.get_by_role("button", name="Shut", exact=True).click()
    expect(page.get_by_role("heading", name="The public way is shut")).to_be_visible()

    with client(plane) as http:
        assert http.post("/sessions", json={}).status_code == 403
    check(page, address="127.0.0.1")
    expect(page.get_by_text("Requests from there are refused: the public way is shut")).to_be_visible()
    check(page, endpoint=ENDPOINT)
    expect(page.get_by_text("the Deployment's list.")).to_be_visible()
