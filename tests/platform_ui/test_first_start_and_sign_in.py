"""The link of the first start, sign-in, the way back to the page that was asked for, and sign-out."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, expect

from support.platform_parts import PASSWORD
from support.platform_website import Website
from tradewind_platform.clock import utc_now
from tradewind_platform.services import local_accounts


def sign_in(page: Any, name: str = "ada", password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_the_link_of_the_first_start_makes_an_administrator_who_is_signed_in(
    browser: Browser, tmp_path: Path
) -> None:
    with Website.running(tmp_path, without_people=True) as website:
        with website.platform.store.transaction(website.organization) as db:
            link = local_accounts.new_first_link(db, now=utc_now())
        context = browser.new_context(base_url=website.url)
        page = context.new_page()
        page.goto(f"/welcome?code={link}")
        expect(page.get_by_role("heading", name="Create the first administrator")).to_be_visible()
        assert link is not None and link not in page.url  # it is a credential, and the address bar is seen
        page.get_by_label("Name").fill("ada")
        page.get_by_label("Password", exact=False).first.fill(PASSWORD)
        page.get_by_label("Password again").fill(PASSWORD)
        page.get_by_role("button", name="Create administrator").click()
        expect(page.get_by_role("heading", name="Acme")).to_be_visible()
        page.goto(f"/welcome?code={link}")
        expect(page.get_by_role("alert").or_(page.get_by_text("used")).first).to_be_visible()
        context.close()


def test_who_is_signed_out_comes_back_to_the_page_that_was_asked_for(open_page: Any) -> None:
    page = open_page("/deployments?q=sales", user=None)
    page.wait_for_url(f"**/sign-in?next={quote('/deployments?q=sales', safe='')}")
    sign_in(page)
    page.wait_for_url("**/deployments?q=sales")
    expect(page.get_by_role("heading", name="Deployments", exact=True)).to_be_visible()


def test_a_wrong_password_is_refused_and_says_so(open_page: Any) -> None:
    page = open_page("/sign-in", user=None)
    sign_in(page, password="not this one at all")
    expect(page.get_by_text("there is no user with this name and password")).to_be_visible()


def test_the_way_back_never_leaves_the_platform(open_page: Any, website: Website) -> None:
    for evil in (
        "//evil.example.com/x",
        "https://evil.example.com",
        "/\\evil.example.com",
        "javascript:alert(1)",
    ):
        page = open_page(f"/sign-in?next={quote(evil, safe='')}", user=None)
        sign_in(page)
        page.wait_for_url(f"{website.url}/**")
        expect(page.get_by_role("navigation", name="Main")).to_be_visible()
        assert page.url.startswith(website.url + "/")


def test_sign_out_ends_the_session(open_page: Any) -> None:
    page = open_page("/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto("/deployments")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_sign_in_that_was_refused_says_why_in_the_platforms_own_words(open_page: Any) -> None:
    page = open_page("/sign-in", user=None)
    known = page.request.get("/sign-in/refusals").json()[0]
    page.goto(f"/sign-in?refused={known['reason']}")
    expect(page.get_by_text(known["message"])).to_be_visible()
    page.goto("/sign-in?refused=<b>call+0800+1234</b>")
    expect(page.get_by_text("The sign-in was refused.")).to_be_visible()
    expect(page.get_by_text("0800")).to_have_count(0)
