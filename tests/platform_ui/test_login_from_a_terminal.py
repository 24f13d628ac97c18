"""`tradewind login` in a real browser: the command, the page on which a person decides, and the way back to the terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from support import terminal_login
from support.axe import needs_axe, violations
from support.platform_parts import PASSWORD
from support.platform_website import Website

PAGE = (
    "/terminal-sign-in?redirect_uri=http%3A%2F%2F127.0.0.1%3A43210%2Fcallback&state=s&machine=laptop"
    "&code_challenge=w1TpKUdYE9hUAcNSeeSRFioHDxfUxuHho_JHAfZ_vDM"
)


def test_a_person_signs_in_allows_it_and_the_terminal_is_signed_in(
    open_page: Any, website: Website, tmp_path: Path
) -> None:
    page = open_page("/", user=None)
    with terminal_login.login(website.url, tmp_path) as terminal:
        page.goto(terminal.address())
        page.get_by_label("Name").fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Sign in a terminal")).to_be_visible()
        expect(page.get_by_text("asks to act as ada in Acme")).to_be_visible()
        page.get_by_role("button", name="Allow").click()
        expect(page.get_by_text("You can close this page and go back to the terminal.")).to_be_visible()
        assert re.match(r"http://127\.0\.0\.1:\d+/callback\?", page.url)
        code, said = terminal.ended()
        assert code == 0 and "Signed in to Acme as token:ada@" in said, said
        file = tmp_path / "contexts.json"
        token = json.loads(file.read_text())["contexts"]["127.0.0.1"]["token"]
        assert file.stat().st_mode & 0o777 == 0o600 and token not in said
        assert "organization_owner" in terminal.run("whoami")[1]
        page.goto(f"{website.url}/me")
        row = page.get_by_role("row").filter(has_text=re.compile("^ada@"))
        expect(row).to_contain_text("What its owner may")
        assert "The platform has deleted it." in terminal.run("logout")[1]
        bearer = {"Authorization": f"Bearer {token}"}
        assert page.request.get(f"{website.url}/v1/me", headers=bearer).status == 403


def test_a_person_refuses_and_the_terminal_says_so(open_page: Any, website: Website, tmp_path: Path) -> None:
    page = open_page("/")
    with terminal_login.login(website.url, tmp_path) as terminal:
        page.goto(terminal.address())
        page.get_by_role("button", name="Refuse").click()
        expect(page.get_by_text("go back to the terminal")).to_be_visible()
        code, said = terminal.ended()
        assert code == 1 and "refused in the browser" in said
        assert not (tmp_path / "contexts.json").exists()


def test_a_page_that_leads_elsewhere_leads_nowhere(open_page: Any) -> None:
    page = open_page(PAGE.replace("127.0.0.1", "evil.example"))
    for decision in ("Allow", "Refuse"):
        page.get_by_role("button", name=decision).click()
        expect(page.get_by_text("this is no request of a terminal", exact=False)).to_be_visible()
    assert "evil.example" not in page.url.split("?")[0]


@needs_axe
@pytest.mark.parametrize(
    ("dark", "size"), [(False, (1280, 800)), (True, (390, 844))], ids=["light_wide", "dark_narrow"]
)
def test_the_page_is_clean_and_decided_by_keyboard(open_page: Any, dark: bool, size: tuple[int, int]) -> None:
    page = open_page(PAGE, dark=dark, size=size)
    expect(page.get_by_role("button", name="Allow")).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Allow")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Refuse")).to_be_focused()
