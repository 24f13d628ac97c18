"""So many requests of one credential are answered in a second; one more is told when to come back, and no other caller waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from support.platform_parts import NOW, QUICK, Api, Time
from support.scim import Scim
from tradewind.client.platform_client import PlatformClient
from tradewind.errors import Refused
from tradewind_platform.api.context import Platform
from tradewind_platform.domain.request_rates import (
    BURST_SECONDS,
    UNLIMITED,
    Bucket,
    RequestKind,
    RequestRates,
    after_request,
    kind_of,
)
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.security import request_limiter
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.security.request_limiter import RequestLimiter
from tradewind_platform.services.people import first_organization
from tradewind_platform.store.sessions import Store
from tradewind_protocol.errors import Code
from tradewind_protocol.platform import NewWorkspace

RATES = RequestRates(reads=2, changes=1, deletions=0.5)
READS, CHANGES, DELETIONS = (int(RATES.of(kind) * BURST_SECONDS) for kind in RequestKind)


@pytest.fixture
def api(store: Store, ring: KeyRing, time: Time) -> Api:
    """It answers few requests."""
    organization = first_organization(store, "acme", now=time.now)
    return Api(Platform(store, ring, time, passwords=QUICK, request_rates=RATES), organization, time)


def statuses(ask: Callable[[], Any], times: int) -> list[int]:
    return [ask().status_code for _ in range(times)]


def read(client: Any) -> Callable[[], Any]:
    return lambda: client.get("/v1/workspaces")


# ---- the rule


def test_a_bucket_has_a_burst_and_then_so_many_a_second() -> None:
    bucket: Bucket | None = None
    for _ in range(20):
        bucket, wait = after_request(bucket, 2, NOW)
        assert wait == timedelta()
    bucket, wait = after_request(bucket, 2, NOW)
    assert wait == timedelta(seconds=0.5), "until there is one again"
    bucket, wait = after_request(bucket, 2, NOW + wait)
    assert (bucket.level, wait) == (0, timedelta()), "what was refused took nothing"
    bucket, wait = after_request(bucket, 2, NOW + timedelta(days=1))
    assert bucket.level == 19, "a long pause fills it, and no more"


def test_a_rate_below_one_in_ten_seconds_answers_one() -> None:
    bucket, wait = after_request(None, 0.01, NOW)
    assert wait == timedelta()
    assert after_request(bucket, 0.01, NOW)[1] == timedelta(seconds=100)


def test_a_clock_that_is_set_back_keeps_nobody_waiting_for_longer() -> None:
    bucket, _ = after_request(Bucket(0, NOW), 1, NOW - timedelta(hours=1))
    assert after_request(bucket, 1, bucket.at + timedelta(seconds=1))[1] == timedelta()


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("GET", RequestKind.READ),
        ("HEAD", RequestKind.READ),
        ("OPTIONS", RequestKind.READ),
        ("POST", RequestKind.CHANGE),
        ("PUT", RequestKind.CHANGE),
        ("PATCH", RequestKind.CHANGE),
        ("QUERY", RequestKind.CHANGE),
        ("DELETE", RequestKind.DELETION),
    ],
)
def test_the_method_says_what_a_request_does(method: str, kind: RequestKind) -> None:
    assert kind_of(method) is kind


def test_so_many_callers_are_remembered_and_those_that_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_limiter, "_KNOWN", 2)
    limiter, rates = RequestLimiter(), RequestRates(0.1, 0.1, 0.1)

    def take(caller: str) -> timedelta | None:
        return limiter.take(caller, RequestKind.READ, rates, NOW)

    assert [take("a"), take("b")] == [None, None]
    assert take("a") is not None
    assert take("c") is None, "in the place of b, which asked before a"
    assert take("a") is not None and take("b") is None


# ---- the API


def test_one_request_too_many_is_told_when_to_come_back(api: Api) -> None:
    ask = read(api.owner)
    assert statuses(ask, READS) == [200] * READS
    refused = ask()
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "1" and refused.json()["detail"] == {"retry_after": 1}
    assert "token:ada sends more requests than are answered: 2 reads a second" in refused.json()["message"]
    api.time.pass_(seconds=1)
    assert statuses(ask, 3) == [200, 200, 429]


def test_reads_changes_and_deletions_are_counted_apart(api: Api) -> None:
    assert statuses(read(api.owner), READS + 1)[-1] == 429

    def change() -> Any:
        return api.owner.patch("/v1/workspaces/nothing", json={})

    assert statuses(change, CHANGES + 1) == [404] * CHANGES + [429]
    assert change().headers["Retry-After"] == "1"

    def delete() -> Any:
        return api.owner.delete("/v1/workspaces/nothing")

    assert statuses(delete, DELETIONS + 1) == [404] * DELETIONS + [429]
    assert delete().headers["Retry-After"] == "2", "at one in two seconds"


def test_each_token_has_its_own_and_one_of_the_same_user_too(api: Api) -> None:
    other = api.with_role(Role.ORGANIZATION_OWNER)
    assert statuses(read(api.owner), READS + 1)[-1] == 429
    assert read(other)().status_code == 200


def test_a_rotated_token_is_the_same_one(api: Api) -> None:
    assert statuses(read(api.owner), READS + 1)[-1] == 429
    rotated = api.owner.post("/v1/api-tokens/ada/rotate", json={"overlap_minutes": 5})
    assert rotated.status_code == 200
    assert read(api.caller(rotated.json()["token"]))().status_code == 429


def test_a_refused_change_is_not_made_and_makes_no_event(api: Api) -> None:
    for number in range(CHANGES):
        assert api.owner.post("/v1/workspaces", json={"name": f"w{number}"}).status_code == 201
    assert api.owner.post("/v1/workspaces", json={"name": "late"}).status_code == 429
    names = [one["name"] for one in read(api.owner)().json()["items"]]
    assert "w0" in names and "late" not in names
    assert len(api.events(action="workspace.create")) == CHANGES


def test_a_session_of_a_browser_has_four_times_as_many(api: Api) -> None:
    grace = api.signed_in("grace", Binding(Role.ORGANIZATION_OWNER, ORGANIZATION))
    assert statuses(read(grace), 4 * READS + 1) == [200] * (4 * READS) + [429]
    again = api.browser()
    answer = again.post("/sign-in", json={"name": "grace", "password": "correct horse battery"})
    assert answer.status_code == 200 and read(again)().status_code == 200, "of another session"


def test_an_identity_provider_is_told_so_in_scims_form_after_four_times_as_many(api: Api) -> None:
    scim = Scim(api)

    def ask() -> Any:
        return scim.request("GET", "/Users")

    assert statuses(ask, 4 * READS) == [200] * (4 * READS)
    refused = ask()
    assert (refused.status_code, refused.json()["status"]) == (429, "429")
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["Content-Type"] == "application/scim+json"


def test_who_shows_no_credential_spends_nothing_of_anybody(api: Api) -> None:
    stranger = api.caller("tw_api_" + "x" * 43)
    assert set(statuses(read(stranger), READS + 1)) == {401}
    assert read(api.owner)().status_code == 200


def test_with_a_rate_of_zero_all_are_answered() -> None:
    limiter = RequestLimiter()
    waits = {limiter.take("a", kind, UNLIMITED, NOW) for kind in RequestKind for _ in range(1000)}
    assert waits == {None}


def test_the_log_names_the_caller_once_a_minute(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    def lines() -> list[str]:
        found = [one for one in caplog.records if getattr(one, "action", "") == "requests_limited"]
        return [one.getMessage() for one in found]

    statuses(read(api.owner), READS + 3)
    assert lines() == ["token:ada sends more requests than are answered: 2 reads a second"]
    api.time.pass_(minutes=1)
    statuses(read(api.owner), READS + 3)
    assert len(lines()) == 2


# ---- the command's client


def client(api: Api, slept: list[float]) -> PlatformClient:
    """Its clock is the platform's: what it waits passes there."""

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        api.time.pass_(seconds=seconds)

    token = str(api.owner.headers["Authorization"]).removeprefix("Bearer ")
    transport: httpx.BaseTransport = api.owner._transport
    return PlatformClient("http://platform.example.com", token=token, transport=transport, sleep=sleep)


def test_the_commands_client_waits_and_gets_all_that_it_asks_for(api: Api) -> None:
    slept: list[float] = []
    with client(api, slept) as asks:
        found = {asks.me().organization_id for _ in range(READS + 5)}
    assert found == {api.organization} and slept == [1.0, 1.0, 1.0]


def test_a_change_that_waited_is_made_once(api: Api) -> None:
    slept: list[float] = []
    statuses(lambda: api.owner.patch("/v1/workspaces/nothing", json={}), CHANGES)
    with client(api, slept) as asks:
        made = asks.create_workspace(NewWorkspace(name="late"))
    assert made.name == "late" and slept == [1.0]
    assert len(api.events(action="workspace.create")) == 1


def test_an_export_of_the_audit_trail_waits_too(api: Api) -> None:
    slept: list[float] = []
    api.owner.post("/v1/workspaces", json={"name": "lab"})
    statuses(read(api.owner), READS)
    with client(api, slept) as asks:
        lines = list(asks.audit_export())
    assert lines and slept == [1.0]


def test_a_client_that_is_not_let_in_for_long_says_why(api: Api) -> None:
    slept: list[float] = []
    statuses(read(api.owner), READS)
    asks = client(api, slept)
    asks._sleep = slept.append  # the platform's clock stands
    with asks, pytest.raises(Refused) as refused:
        asks.me()
    assert refused.value.code is Code.RATE_LIMITED and sum(slept) == 60
