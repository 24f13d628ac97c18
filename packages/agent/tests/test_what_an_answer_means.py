"""The one table of what may be asked again, and the sentences that name what answered instead of a plane."""

from __future__ import annotations

import socket
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.http import responses
from tradewind_agent.plane import retry
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.plane.credentials import AgentToken
from tradewind_agent.plane.retry import Verdict
from tradewind_protocol import ids, versions
from tradewind_protocol.errors import Code, Refusal, Refused
from tradewind_protocol.sessions import Cadence, OpenSession, SessionOpened
from tradewind_protocol.states import Component

URL = "https://plane.test/one/remote-execution/v1/poll?secret=1"
FROM_PLANE = {versions.HEADER: "1.0", "content-type": "application/json"}

VERDICTS = {
    Code.TOKEN_MISSING: Verdict.STOP_AGENT,
    Code.TOKEN_MALFORMED: Verdict.STOP_AGENT,
    Code.TOKEN_UNKNOWN: Verdict.STOP_AGENT,
    Code.TOKEN_EXPIRED: Verdict.STOP_AGENT,
    Code.TOKEN_DELETED: Verdict.STOP_AGENT,
    Code.WRONG_DEPLOYMENT: Verdict.STOP_AGENT,
    Code.WRONG_SITE: Verdict.STOP_AGENT,
    Code.VERSION_SKEW: Verdict.STOP_AGENT,
    Code.ADDRESS_NOT_ALLOWED: Verdict.SLOWLY,
    Code.SESSION_UNKNOWN: Verdict.REOPEN,
    Code.SESSION_EXPIRED: Verdict.REOPEN,
    Code.SESSION_FENCED: Verdict.FENCED,
    Code.RATE_LIMITED: Verdict.AGAIN,
    Code.UNAVAILABLE: Verdict.AGAIN,
    Code.INTERNAL: Verdict.AGAIN,
}


def answer(status: int, *, body: bytes = b"", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=body, headers=named, request=httpx.Request("POST", URL))


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_one_verdict(code: Code):
    assert retry.verdict(Refused(code, "why")) is VERDICTS.get(code, Verdict.FINAL)


def test_no_answer_may_always_be_asked_again():
    assert retry.verdict(PlaneUnreachable("nobody")) is Verdict.AGAIN


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (
            answer(200, body=b"<html>Sign in</html>", content_type="text/html", server="corp-proxy"),
            "corp-proxy",
        ),
        (answer(200, body=b"<html>Sign in</html>", content_type="text/html"), "text/html"),
        (answer(200), "an empty body"),
        (answer(302, location="https://login.test/sso?to=x"), "redirects to https://login.test/sso:"),
        (answer(502, body=b"Bad Gateway", server="nginx"), "nginx answered 502"),
        (answer(503, body=b"{}", content_type="application/json", via="1.1 lb"), "1.1 lb answered 503"),
        (answer(504), "answered 504"),
        (answer(403, body=b"<h1>Blocked</h1>", content_type="text/html"), "answered 403"),
        (answer(404, body=b'{"detail":"Not Found"}', content_type="text/html"), "no Remote Execution API"),
        (answer(407), "asks for credentials"),
    ],
)
def test_something_else_than_a_plane_is_named_and_asked_again(response: httpx.Response, words: str):
    with pytest.raises(PlaneUnreachable) as caught:
        retry.must_be_a_plane(response)
    assert words in str(caught.value)
    assert "https://plane.test/one" in str(caught.value)
    assert "secret=1" not in str(caught.value)


def test_json_without_the_planes_header_is_not_believed_once_the_plane_is_known_to_send_it():
    response = answer(200, body=b'{"offers": []}', content_type="application/json")
    retry.must_be_a_plane(response)
    with pytest.raises(PlaneUnreachable):
        retry.must_be_a_plane(response, names_itself=True)


def test_an_airflow_without_tradewind_is_told_from_a_plane():
    response = answer(404, body=b'{"detail":"Not Found"}', content_type="application/json")
    with pytest.raises(PlaneUnreachable, match="tradewind-provider is installed"):
        retry.check(response)


@pytest.mark.parametrize(
    "detail", [{"epoch": 2}, {"message": "as the proxy says it to tasks", "remedy": "", "code": 1, "self": 2}]
)
def test_a_refusal_keeps_its_code_words_and_remedy(detail):
    refusal = Refusal(error=Code.LEASE_LOST, message="too late", remedy="nothing", detail=detail)
    response = httpx.Response(409, content=refusal.model_dump_json(), headers=FROM_PLANE)
    refused = responses.refusal_in(response)
    assert refused is not None and refused.refusal == refusal


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(409, Verdict.FINAL), (403, Verdict.FINAL), (429, Verdict.AGAIN), (503, Verdict.AGAIN)],
)
def test_a_code_this_agent_has_never_heard_of_is_taken_by_its_status(status: int, verdict: Verdict):
    body = b'{"error": "of_the_future", "message": "some new reason"}'
    refused = responses.refusal_in(httpx.Response(status, content=body, headers=FROM_PLANE))
    assert refused is not None
    assert "some new reason" in str(refused) and "of_the_future" in str(refused)
    assert retry.verdict(refused) is verdict


def _every_transport_error() -> list[type[httpx.TransportError]]:
    found: list[type[httpx.TransportError]] = []
    left = [httpx.TransportError]
    while left:
        each = left.pop()
        found.append(each)
        left += each.__subclasses__()
    return found


@pytest.mark.parametrize("kind", _every_transport_error())
def test_every_error_of_the_transport_has_a_sentence(kind: type[httpx.TransportError]):
    failure = retry.unreachable(kind("the cause"), url="https://user:pass@plane.test/one")
    assert "plane.test" in failure.message
    assert "user" not in failure.message and "pass" not in failure.message


@pytest.mark.parametrize(
    ("error", "arrived"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ConnectTimeout("slow"), False),
        (httpx.PoolTimeout("full"), False),
        (httpx.ProxyError("407"), False),
        (httpx.ReadError("reset"), True),
        (httpx.ReadTimeout("slow"), True),
        (httpx.WriteError("reset"), True),
        (httpx.RemoteProtocolError("closed"), True),
    ],
)
def test_whether_a_request_may_have_arrived_is_known(error: Exception, arrived: bool):
    assert retry.unreachable(error, url=URL).may_have_arrived is arrived


def test_a_certificate_nobody_vouches_for_names_the_setting():
    error = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")
    assert "ca_file" in str(retry.unreachable(error, url=URL))


def test_how_long_the_other_side_asks_to_wait_is_heard_within_reason():
    for given, heard in (("7", 7.0), ("86400", 300.0), ("Wed, 21 Oct", None)):
        with pytest.raises(PlaneUnreachable) as caught:
            retry.must_be_a_plane(answer(503, retry_after=given))
        assert caught.value.retry_after == heard


async def test_a_name_with_several_addresses_does_not_hide_why_nobody_answers():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://localhost:{closed.getsockname()[1]}/one"
        with pytest.raises(httpx.ConnectError) as caught:
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.get(url)
    said = str(retry.unreachable(caught.value, url=url))
    assert "refused" in said.lower() and "Check plane_url" in said


async def test_a_request_that_a_proxy_finds_too_large_is_refused_and_the_plane_is_not_away():
    session = SessionOpened(session_id=uuid4(), session_token="t", deployment="d", cadence=Cadence())

    def passes(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/sessions"):
            return httpx.Response(200, content=session.model_dump_json(), headers=FROM_PLANE)
        page = {"content-type": "text/html", "server": "nginx"}
        return httpx.Response(413, content=b"<html>413</html>", headers=page)

    plane = PlaneClient(
        url="http://plane.test",
        token=AgentToken(value=SecretStr(ids.new_secret(ids.AGENT_TOKEN_PREFIX))),
        introduction=lambda: OpenSession(
            agent_id=uuid4(), instance=uuid4(), name="a", components=(Component.WORKER,)
        ),
        transport=httpx.MockTransport(passes),
    )
    async with plane:
        answer = await plane.forward("POST", "/dags/report", {}, b"x" * 5000)
        refused = responses.refusal_in(answer)
        assert refused is not None and refused.code is Code.TOO_LARGE
        assert "nginx answered 413" in str(refused) and "5000 bytes" in str(refused)
        assert "client_max_body_size" in refused.refusal.remedy
        assert plane.reachable
