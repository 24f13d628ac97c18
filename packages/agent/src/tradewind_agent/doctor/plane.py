"""Is there an orchestration plane, is its clock ours, and does it take this agent?"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timezone
from email.utils import parsedate_to_datetime

import httpx

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.errors import AgentError, PlaneUnreachable
from tradewind_agent.http import responses
from tradewind_agent.plane import retry
from tradewind_agent.plane.credentials import AgentToken
from tradewind_protocol import ids, paths, site, versions
from tradewind_protocol.checks import Result, failed, ok, skipped, warning
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.site import AboutToken

_SKEW = 30.0  # seconds
_SOON = 14 * 86400.0
_LATER = ("clock", "token", "deployment", "allow-list", "versions")
_ADMITTED = "this address may connect"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Asks the plane about the token, which opens no session."""
    if not examination.reachable or examination.http is None:
        for name in ("plane", *_LATER):
            yield skipped(name, "the plane is not reached")
        return
    settings = examination.settings
    token: str = ""
    unread: AgentError | None = None
    try:
        given = examination.token or AgentToken(value=settings.token, file=settings.token_file)
        token = given.read()
    except AgentError as error:
        unread = error
    try:
        begun = time.time()
        response = await examination.http.get(
            paths.PREFIX + site.TOKEN, headers={"Authorization": f"Bearer {token or 'none'}"}
        )
        retry.must_be_a_plane(response)
    except (httpx.HTTPError, PlaneUnreachable) as error:
        failure = (
            error if isinstance(error, PlaneUnreachable) else retry.unreachable(error, url=settings.plane_url)
        )
        examination.reachable = False
        yield failed("plane", failure.message, failure.remedy or "Check plane_url and the way there")
        for name in _LATER:
            yield skipped(name, "no plane answers")
        return
    theirs = response.headers.get(versions.HEADER, "")
    yield ok("plane", f"{settings.plane_url} is an orchestration plane (protocol {theirs or 'unknown'})")
    yield _clock(response, (begun + time.time()) / 2)
    if unread is not None:
        yield failed(
            "token", unread.message, unread.remedy or "Set token_file to a file that holds the token"
        )
        yield skipped("deployment", "there is no token")
        yield ok("allow-list", _ADMITTED)
        yield skipped("versions", "there is no token")
        return
    for result in _admission(examination, response, token):
        yield result


def _admission(examination: Examination, response: httpx.Response, token: str) -> list[Result]:
    refused = responses.refusal_in(response)
    if refused is not None:
        return _refused(refused)
    try:
        about = AboutToken.model_validate_json(response.content)
    except ValueError:
        if response.status_code == 404:
            text = "this plane is older than this agent and cannot say; the agent asks when it starts"
            return [skipped(name, text) for name in _LATER[1:]]
        return [failed("token", f"the plane answered {response.status_code}", "Look into the plane's log")]
    examination.about = about
    left = None if about.expires_at is None else about.expires_at.timestamp() - time.time()
    evidence = f"{ids.shown(token)} is the agent token {about.token!r}"
    if left is None:
        good = ok("token", f"{evidence}, which does not expire")
    elif left < _SOON:
        good = warning("token", f"{evidence}; it expires in {left / 86400:.1f} days", "Rotate it before")
    else:
        good = ok("token", f"{evidence}, valid for {left / 86400:.0f} days")
    return [
        good,
        ok("deployment", f"{about.deployment}, data boundary at least {about.policy.value}"),
        ok("allow-list", _ADMITTED),
        ok(
            "versions",
            f"plane {about.plane_version or 'unknown'} with Airflow {about.airflow_version or 'unknown'}, "
            f"protocol {versions.PROTOCOL} here",
        ),
    ]


def _refused(refused: Refused) -> list[Result]:
    where = {
        Code.ADDRESS_NOT_ALLOWED: "allow-list",
        Code.VERSION_SKEW: "versions",
        Code.WRONG_DEPLOYMENT: "deployment",
    }.get(refused.code, "token")
    refusal = refused.refusal
    bad = failed(
        where,
        f"{refusal.message} ({refused.code.value})",
        refusal.remedy or "Ask the administrator of the plane",
    )
    unseen = "the plane refused this request before it came to that"
    # The plane looks at the address before anything else, so every other refusal says that it was admitted.
    return [
        bad if name == where else ok(name, _ADMITTED) if name == "allow-list" else skipped(name, unseen)
        for name in _LATER[1:]
    ]


def _clock(response: httpx.Response, here: float) -> Result:
    try:
        there = parsedate_to_datetime(response.headers["date"]).astimezone(timezone.utc).timestamp()
    except (KeyError, ValueError, TypeError):
        return skipped("clock", "the answer says no time")
    skew = here - there - 0.5  # the header has whole seconds, cut off
    if abs(skew) <= _SKEW:
        return ok("clock", f"{abs(skew):.0f} s from the plane's")
    how = "ahead of" if skew > 0 else "behind"
    return failed(
        "clock",
        f"this machine's clock is {abs(skew):.0f} s {how} the plane's",
        "Let NTP set it (timedatectl): certificates and short-lived tokens are judged by it",
    )
