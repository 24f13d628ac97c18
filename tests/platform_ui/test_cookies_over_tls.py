"""What a browser keeps of a sign-in over TLS (scenario 25): one cookie that no script reads and no other host can set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, expect

from support.authority import Authority
from support.platform_parts import PASSWORD
from support.platform_website import Website


def signed_in(browser: Browser, website: Website, **more: Any) -> BrowserContext:
    """By the form, as a person does."""
    context = browser.new_context(base_url=website.url, **more)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return context


def test_scenario_25_over_tls_the_cookie_is_of_this_host_only_and_no_script_reads_it(
    browser: Browser, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "authority", "Acme")
    certificate = authority.certificate("localhost")
    with Website.running(tmp_path, certificate=certificate) as website:
        context = signed_in(browser, website, ignore_https_errors=True)
        page = context.pages[0]
        (cookie,) = context.cookies()
        kept = {key: cookie[key] for key in ("name", "domain", "path", "httpOnly", "secure", "sameSite")}  # type: ignore[literal-required]
        assert kept == {
            "name": "__Host-tw_session",
            "domain": "localhost",  # without a dot: the browser sends it to no host below
            "path": "/",
            "httpOnly": True,
            "secure": True,
            "sameSite": "Lax",
        }
        assert page.evaluate("document.cookie") == ""
        answer = page.goto("/deployments")
        assert answer is not None
        assert answer.header_value("strict-transport-security") == "max-age=31536000"
        policy = answer.header_value("content-security-policy") or ""
        assert "script-src 'self'" in policy and "unsafe" not in policy
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in*")
        assert context.cookies() == []
        context.add_cookies([cookie])  # somebody has kept it
        page.goto("/deployments")
        page.wait_for_url("**/sign-in*")
        context.close()


def test_without_tls_the_cookie_has_a_plain_name_and_no_script_reads_it(
    browser: Browser, website: Website
) -> None:
    context = signed_in(browser, website)
    (cookie,) = context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["secure"]) == ("tw_session", True, False)
    assert context.pages[0].evaluate("document.cookie") == ""
    context.close()


def test_signing_out_in_one_window_is_seen_in_the_others(browser: Browser, website: Website) -> None:
    context = signed_in(browser, website)
    other = context.new_page()
    other.goto("/deployments")
    expect(other.get_by_role("heading", level=1)).to_be_visible()
    context.pages[0].get_by_role("button", name="Sign out").click()
    context.pages[0].wait_for_url("**/sign-in*")
    expect(other.get_by_text("You are signed out").or_(other.get_by_label("Password")).first).to_be_visible(
        timeout=60_000
    )
    context.close()
