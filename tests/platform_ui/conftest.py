"""The platform's pages in a real browser: the platform over a socket, with a fake driver that works by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="`make test-ui` installs what drives the browser")

from playwright.sync_api import Browser, BrowserContext, Page

from support.platform_parts import PASSWORD
from support.platform_website import Website

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            for mark in (pytest.mark.ui, pytest.mark.timeout(300)):
                item.add_marker(mark)


@pytest.fixture
def website(tmp_path: Path) -> Iterator[Website]:
    """A platform of its own for each test."""
    with Website.running(tmp_path) as made:
        yield made


Opened = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, website: Website) -> Iterator[Opened]:
    """`open_page("/deployments", user="ada")`: that page in a browser of its own. `user=None`: nobody is signed in.

    A page that breaks the policy of its document, or throws, fails the test.
    """
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def opened(
        path: str = "/",
        *,
        user: str | None = "ada",
        dark: bool = False,
        size: tuple[int, int] = (1440, 900),
    ) -> Page:
        context = browser.new_context(
            base_url=website.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda message: wrong.append(message.text) if "Content Security Policy" in message.text else None,
        )
        if user is not None:
            answer = context.request.post(
                "/sign-in",
                data={"name": user, "password": PASSWORD},
                headers={"Origin": website.url},
            )
            assert answer.ok, answer.text()
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []
