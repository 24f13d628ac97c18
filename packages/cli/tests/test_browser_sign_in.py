"""The terminal's side of a sign-in by the browser: the port that waits, and the browser that there is."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tradewind.client import browser_sign_in
from tradewind.client.platform_client import PlatformClient
from tradewind.errors import CommandError

URL = "http://platform.example.com"
TOKEN = {
    "access_token": "tw_api_" + "x" * 43,
    "expires_in": 43200,
    "token_id": "01a2294f-5d95-76ab-80a0-6675b58fcf63",
}


def client(*, takes: bool = True) -> PlatformClient:
    def platform(request: httpx.Request) -> httpx.Response:
        form = parse_qs(request.content.decode())
        assert form["code"] == ["c-1"] and len(form["code_verifier"][0]) >= 43
        return (
            httpx.Response(200, json=TOKEN) if takes else httpx.Response(400, json={"error": "invalid_grant"})
        )

    return PlatformClient(URL, transport=httpx.MockTransport(platform))


def asked(address: str) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(urlsplit(address).query).items()}


def bringing(**answer: str) -> Callable[[str], bool]:
    """A browser that comes back with this answer."""

    def opened(address: str) -> bool:
        request = asked(address)
        found = httpx.get(request["redirect_uri"], params={"state": request["state"], **answer})
        return found.is_success

    return opened


def test_the_request_has_what_rfc_8252_asks_for_and_nothing_secret() -> None:
    said: list[str] = []
    token = browser_sign_in.sign_in(client(), bringing(code="c-1"), said.append)
    assert token.access_token == TOKEN["access_token"]
    [text] = said
    request = asked(text.split()[-1])
    assert (request["response_type"], request["code_challenge_method"]) == ("code", "S256")
    assert request["redirect_uri"].startswith("http://127.0.0.1:") and len(request["state"]) >= 43
    assert "verifier" not in text and TOKEN["access_token"] not in text


def test_two_sign_ins_have_nothing_in_common() -> None:
    said: list[str] = []
    for _ in range(2):
        browser_sign_in.sign_in(client(), bringing(code="c-1"), said.append)
    one, other = (asked(text.split()[-1]) for text in said)
    assert one["state"] != other["state"] and one["code_challenge"] != other["code_challenge"]


@pytest.mark.parametrize(
    ("answer", "takes", "says"),
    [
        ({"error": "access_denied"}, True, "refused in the browser"),
        ({"error": "invalid_request"}, True, "gave no code: invalid_request"),
        ({"code": "c-1"}, False, "does not take the code"),
    ],
    ids=["refused", "invalid", "not_taken"],
)
def test_what_goes_wrong_is_said(answer: dict[str, str], takes: bool, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        browser_sign_in.sign_in(client(takes=takes), bringing(**answer), lambda text: None)


def test_nobody_who_signs_in_is_waited_for_no_longer_than_that() -> None:
    with pytest.raises(CommandError, match="there was no sign-in") as refused:
        browser_sign_in.sign_in(client(), lambda address: True, lambda text: None, seconds=0.01)
    assert "--no-browser" in refused.value.remedy


def test_a_connection_that_says_nothing_keeps_nobody_out() -> None:
    """Browsers open connections that they may need."""
    idle: list[socket.socket] = []

    def opened(address: str) -> bool:
        to = urlsplit(asked(address)["redirect_uri"])
        idle.append(socket.create_connection((str(to.hostname), int(to.port or 0))))
        return bringing(code="c-1")(address)

    assert browser_sign_in.sign_in(client(), opened, lambda text: None).token_id
    for one in idle:
        one.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is a screen")
def test_a_machine_without_a_screen_has_no_browser() -> None:
    assert browser_sign_in.opener({"PATH": "/usr/bin"}) is None
