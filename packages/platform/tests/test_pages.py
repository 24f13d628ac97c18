"""What the platform serves to browsers, without a browser: one document with a strict policy, and its script."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from support.platform_parts import Api
from tradewind_platform.api.app import create_app

HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.mark.parametrize(
    "path", ["/", "/sign-in?next=/x", "/welcome?code=x", "/deployments/sales/settings", "/me"]
)
def test_each_address_of_a_page_has_the_document(api: Api, path: str) -> None:
    answer = api.caller(None).get(path, headers=HTML)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"  # its nonce is for this answer only


def test_the_policy_lets_nothing_inline_in_but_styles_with_this_answers_nonce(api: Api) -> None:
    first, second = (api.caller(None).get("/", headers=HTML) for _ in range(2))
    policy = first.headers["content-security-policy"]
    rules = dict(part.split(" ", 1) for part in policy.split("; "))
    nonce = re.fullmatch(r"'self' 'nonce-([\w-]{20,})'", rules.pop("style-src"))
    assert nonce is not None and f'nonce="{nonce[1]}"' in first.text
    assert nonce[1] not in second.text
    assert rules == {
        "default-src": "'none'",
        "script-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=", first.text)


def test_the_document_tells_no_other_site_its_address(api: Api) -> None:
    headers = api.caller(None).get("/welcome?code=secret", headers=HTML).headers
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


def test_only_a_platform_with_tls_demands_tls(api: Api) -> None:
    assert "strict-transport-security" not in api.caller(None).get("/", headers=HTML).headers
    secure = TestClient(create_app(replace(api.platform, origin="https://platform.example.com")))
    assert secure.get("/", headers=HTML).headers["strict-transport-security"] == "max-age=31536000"


def test_the_script_is_kept_for_ever_at_its_own_address_only(api: Api) -> None:
    browser = api.caller(None)
    address = re.search(r'src="([^"]+)"', browser.get("/", headers=HTML).text)
    assert address is not None
    kept = browser.get(address[1])
    assert kept.status_code == 200
    assert kept.headers["content-type"].startswith("text/javascript")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    other = browser.get("/assets/platform.js?v=of-another-release")
    assert other.headers["cache-control"] == "no-cache"
    again = browser.get("/assets/platform.js", headers={"If-None-Match": other.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_script_is_sent_compressed_to_those_who_take_it(api: Api) -> None:
    plain = api.caller(None).get("/assets/platform.js", headers={"Accept-Encoding": "identity"})
    packed = api.caller(None).get("/assets/platform.js", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
    assert plain.content == packed.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/assets/nothing", "/assets/..%2fapp.py", "/oauth/nothing", "/internal/nothing"]
)
def test_what_is_no_page_is_not_answered_with_one(api: Api, path: str) -> None:
    answer = api.owner.get(path, headers=HTML)
    assert (answer.status_code, "<html" in answer.text) == (404, False)


def test_a_program_that_asks_for_an_unknown_path_gets_404(api: Api) -> None:
    assert api.owner.get("/deployments", headers={"Accept": "application/json"}).status_code == 404
    assert api.owner.get("/deployments", headers={"Accept": "*/*"}).status_code == 404
