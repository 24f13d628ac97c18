"""What a person sees, and that it is true a moment later without a reload."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect


def row(page: Any, name: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def test_airflows_navigation_leads_to_the_page(open_page: Any, plane: Any) -> None:
    page = open_page()
    page.goto(plane.url)
    page.get_by_role("link", name="Agents").click()
    expect(page.get_by_role("heading", name="Remote Agents", level=1)).to_be_visible()
    expect(page.get_by_text("Deployment production")).to_be_visible()


def test_an_agent_that_arrives_falls_silent_and_is_lost_is_seen_without_a_reload(
    open_page: Any, stand: Any
) -> None:
    page = open_page()
    page.get_by_label("Show lost and offline agents").check(force=True)
    talker = stand.agent("bergen")
    expect(row(page, "bergen")).to_contain_text("healthy", timeout=15_000)
    talker.fall_silent()
    expect(row(page, "bergen")).to_contain_text("unreachable", timeout=20_000)
    expect(row(page, "bergen")).to_contain_text(re.compile(r"no poll for \d+ s"))
    expect(row(page, "bergen")).to_contain_text("lost", timeout=30_000)


def test_a_row_says_the_state_its_cause_the_age_of_the_beat_queues_and_slots(
    open_page: Any, stand: Any
) -> None:
    environment = {"name": "ml", "queues": ["gpu", "tpu"], "slots": 3, "python": "3.12.3", "airflow": "3.3.2"}
    finding = {"check": "disk", "message": "the disk is full", "remedy": "Free some space."}
    stand.agent("turin", environments=[environment], findings=[finding], components=["worker", "triggerer"])
    page = open_page()
    turin = row(page, "turin")
    for words in (
        "degraded",
        "the disk is full",
        "turin.example.com",
        "gpu",
        "tpu",
        "triggerer",
        "Airflow 3.3.2",
    ):
        expect(turin).to_contain_text(words)
    expect(turin).to_contain_text(re.compile(r"last seen \d s ago"))
    expect(turin.get_by_role("meter", name="Slots of turin in use")).to_have_attribute(
        "aria-valuetext", "0 of 3"
    )
    turin.get_by_role("link", name="turin").click()
    expect(page.get_by_text("Free some space.")).to_be_visible()
    expect(page.get_by_text("Linux-6.1-x86_64, 8 CPUs, 32.0 GiB")).to_be_visible()


def test_agents_are_found_by_name_host_queue_and_state(open_page: Any, stand: Any) -> None:
    stand.agent("porto")
    stand.agent("nice", environments=[{"name": "default", "queues": ["olives"], "slots": 1}])
    page = open_page()
    search = page.get_by_role("searchbox")
    search.fill("olives")
    expect(row(page, "nice")).to_be_visible()
    expect(row(page, "porto")).to_have_count(0)
    search.fill("porto.example")
    expect(row(page, "porto")).to_be_visible()
    search.fill("")
    page.get_by_label("State", exact=True).select_option("draining")
    expect(page.get_by_text("No agent matches")).to_be_visible()


def test_what_runs_is_linked_to_its_task_instance(open_page: Any, working_site: Any, plane: Any) -> None:
    page = open_page()
    row(page, "frankfurt-1").get_by_role("link").click()
    running = page.get_by_role("region", name="Running attempts")
    link = running.get_by_role("link").filter(has_text="map 1")
    expect(link).to_be_visible()
    expect(link).to_have_attribute(
        "href",
        re.compile(
            rf"/dags/harvest/runs/{re.escape(quote(working_site, safe=''))}/tasks/pick/mapped/1\?try_number=1$"
        ),
    )
    link.click()
    expect(page).to_have_url(re.compile(r"/dags/harvest/.*/mapped/1"))
    expect(page.get_by_text("pick").first).to_be_visible()


def test_a_queue_nobody_serves_is_warned_about(open_page: Any, working_site: Any) -> None:
    page = open_page("queues")
    expect(
        page.get_by_text(re.compile("1 piece of work: waits for .* no agent of this site serves the queue"))
    ).to_be_visible()
    queue = page.get_by_role("row").filter(has_text="nobody-here")
    expect(queue).to_contain_text("no agent")
    expect(
        page.get_by_role("img", name=re.compile("default: .* finished in the last 60 minutes"))
    ).to_be_visible()


def test_a_page_nobody_looks_at_asks_nothing(open_page: Any) -> None:
    page = open_page()
    expect(page.get_by_role("navigation", name="Remote Agents")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/tradewind/v1/" in request.url else None)
    see = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});\
        document.dispatchEvent(new Event('visibilitychange')) }"
    page.evaluate(see, True)
    page.wait_for_timeout(500)
    asked.clear()
    page.wait_for_timeout(8000)
    assert asked == []
    page.evaluate(see, False)
    page.wait_for_timeout(500)
    assert any("/agents" in url for url in asked)


def test_what_was_known_stays_while_the_api_server_is_away(open_page: Any, stand: Any) -> None:
    stand.agent("malmo")
    page = open_page()
    expect(row(page, "malmo")).to_be_visible()
    page.route("**/tradewind/v1/**", lambda route: route.abort())
    expect(page.get_by_text("The API server does not answer.")).to_be_visible(timeout=15_000)
    expect(row(page, "malmo")).to_be_visible()
    page.unroute("**/tradewind/v1/**")
    expect(page.get_by_text("The API server does not answer.")).to_have_count(0, timeout=30_000)


def test_a_plane_without_agents_says_how_to_get_one(open_page: Any) -> None:
    page = open_page("queues")
    nothing = {"items": [], "total": 0, "limit": 1000, "offset": 0}
    page.route("**/tradewind/v1/agents?*", lambda route: route.fulfill(json=nothing))
    page.get_by_role("navigation", name="Remote Agents").get_by_role(
        "link", name="Agents", exact=True
    ).click()
    expect(page.get_by_role("heading", name="No agent is connected")).to_be_visible()
    page.get_by_role("main").or_(page.locator("body")).get_by_role(
        "link", name="Register an agent"
    ).last.click()
    expect(page.get_by_role("heading", name="1. Agent")).to_be_visible()


def test_an_agent_that_does_not_exist_is_an_error_and_not_an_empty_page(open_page: Any) -> None:
    page = open_page("agents/00000000-0000-0000-0000-000000000000")
    expect(page.get_by_text("There is no agent 00000000")).to_be_visible()


def test_who_is_signed_out_is_led_to_sign_in(open_page: Any) -> None:
    page = open_page()
    expect(page.get_by_role("navigation", name="Remote Agents")).to_be_visible()
    page.context.clear_cookies()
    expect(page.get_by_role("link", name="Sign in")).to_have_attribute(
        "href", re.compile(r"/api/v2/auth/login\?next="), timeout=15_000
    )


@pytest.mark.parametrize("path", ["", "queues"])
def test_a_viewer_sees_and_is_offered_nothing_else(open_page: Any, stand: Any, path: str) -> None:
    stand.agent("trieste")
    page = open_page(path, user="viewer")
    tabs = page.get_by_role("navigation", name="Remote Agents")
    expect(tabs.get_by_role("link", name="Queues")).to_be_visible()
    expect(tabs.get_by_role("link", name="Tokens")).to_have_count(0)
    tabs.get_by_role("link", name="Agents", exact=True).click()
    row(page, "trieste").get_by_role("link").click()
    expect(page.get_by_role("heading", name="trieste")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Cordon|Drain|Set slots"))).to_have_count(0)


def test_a_page_a_viewer_may_not_see_says_so(open_page: Any) -> None:
    page = open_page("tokens", user="viewer")
    expect(page.get_by_text("Not permitted")).to_be_visible()
    expect(page.get_by_text("Ask an administrator of this Airflow")).to_be_visible()
