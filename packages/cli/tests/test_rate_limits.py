"""A command that is told to come back later does so, and not for ever."""

from __future__ import annotations

import httpx
import pytest

from tradewind.client.platform_client import PlatformClient
from tradewind.client.rate_limits import Patience
from tradewind.errors import Refused

URL = "http://platform.example.com"
REFUSAL = {"error": "rate_limited", "message": "ci sends more requests than are answered", "remedy": "Wait."}


def told(seconds: str | None, status: int = 429) -> httpx.Response:
    headers = {} if seconds is None else {b"Retry-After": seconds.encode("latin-1")}
    return httpx.Response(status, json=REFUSAL, headers=headers)


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (told("3"), 3.0),
        (told("0"), 1.0),
        (told("10"), 10.0),
        (told("11"), None),
        (told(None), None),
        (told("-1"), None),
        (told("²"), None),
        (told("Mon, 02 Mar 2026 12:00:00 GMT"), None),
        (told("3", 503), None),
        (told("3", 200), None),
    ],
    ids=["3 s", "at once", "10 s", "longer", "no time", "negative", "no digit", "a date", "503", "200"],
)
def test_only_429_with_a_few_seconds_is_waited_for(answer: httpx.Response, wait: float | None) -> None:
    assert Patience().wait(answer) == wait


def test_one_request_waits_a_minute_in_all() -> None:
    patience = Patience()
    assert [patience.wait(told("9")) for _ in range(7)] == [9.0] * 6 + [None]
    assert Patience().wait(told("9")) == 9.0, "another request has its own"


def test_what_waits_too_long_is_told_as_the_refusal_that_it_is() -> None:
    slept: list[float] = []
    transport = httpx.MockTransport(lambda _: told("300"))
    with (
        PlatformClient(URL, token="t", transport=transport, sleep=slept.append) as asks,
        pytest.raises(Refused, match="ci sends more requests"),
    ):
        asks.me()
    assert slept == []


def test_the_request_that_is_sent_again_is_the_same_one() -> None:
    seen: list[tuple[str, str, bytes]] = []

    def platform(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.headers["Idempotency-Key"], request.content))
        return told("1") if len(seen) < 3 else httpx.Response(204)

    slept: list[float] = []
    transport = httpx.MockTransport(platform)
    with PlatformClient(URL, token="t", transport=transport, sleep=slept.append) as asks:
        asks._request("POST", "/anything", headers={"Idempotency-Key": "k-1"}, content=b"body")
    assert seen == [("POST", "k-1", b"body")] * 3 and slept == [1.0, 1.0]
