"""The page on which the operator API describes itself to people."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest

from tradewind_provider.api.operator.app import create_app


@pytest.fixture
async def page() -> str:
    app = create_app()
    transport = httpx.ASGITransport(app=app, root_path="/team-a/tradewind")
    async with httpx.AsyncClient(
        transport=transport, base_url="http://plane.test/team-a/tradewind"
    ) as client:
        shown = await client.get("/docs")
        described = await client.get("/openapi.json")
    assert shown.headers["content-type"].startswith("text/html")
    assert described.status_code == 200
    return shown.text


async def test_every_verb_is_on_it(page: str) -> None:
    paths = create_app().openapi()["paths"]
    verbs = [(verb.upper(), path) for path, operations in paths.items() for verb in operations]
    assert len(verbs) > 20
    missing = [
        one for one in verbs if f'<span class="verb">{one[0]}</span> <code>{one[1]}</code>' not in page
    ]
    assert missing == []


async def test_it_asks_no_other_host_for_anything(page: str) -> None:
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?:[a-z]+:)?//""", page) == []
    assert "<script" not in page


async def test_it_leads_to_the_document_for_machines_under_the_planes_path(page: str) -> None:
    assert 'href="/team-a/tradewind/openapi.json"' in page


async def test_it_is_well_formed(page: str) -> None:
    open_tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta",):
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Reader().feed(page.removeprefix("<!doctype html>"))
    assert open_tags == []
