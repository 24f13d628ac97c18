"""Sign-in at the identity provider: the browser leaves and comes back, and the provider signs people out.

A sign-in that is refused ends at `/sign-in?refused=REASON&error=SENTENCES`. All sentences are at `/sign-in/refusals`.
"""

from __future__ import annotations

import logging
from typing import Any, Final
from urllib.parse import parse_qs, urlencode
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from sqlalchemy import select

from tradewind_platform.api.authentication import session_value, signed_in
from tradewind_platform.api.context import Platform, platform_of, request_origin
from tradewind_platform.api.cookies import delete_cookie, set_cookie
from tradewind_platform.domain.origins import cookie_name
from tradewind_platform.domain.return_paths import safe_path
from tradewind_platform.domain.roles import ORGANIZATION, Permission
from tradewind_platform.domain.sign_in_refusals import SENTENCES, RefusalReason, SignInFailed
from tradewind_platform.security.openid_connect import ProviderUnreachable, TokenNotValid
from tradewind_platform.services import back_channel_logout, people, sso_settings, sso_sign_in
from tradewind_platform.services.change import Event, record
from tradewind_platform.store.tables import Organization
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.people import SignInRefusal

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)
TESTED: Final = "/sign-in/tested"
"""Where a browser is back after a test."""
_TESTED_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Test sign-in</title></head>
<body><h1>The test sign-in is done</h1>
<p>Your session is as it was. What it showed, and whether it came in: <code>tradewind sign-in get</code>.</p>
<p>To use the settings: <code>tradewind sign-in activate</code>. <a href="/">Back to the platform</a></p></body></html>
"""
_AGAIN: Final = 1
_LARGEST: Final = 100_000


@router.get(sso_settings.START)
def leave(request: Request, next: str = "/", again: bool = False, test: bool = False) -> Response:
    """Send the browser to the identity provider. It comes back to `next`, a path of the platform.

    `again`: the person has to prove who they are anew, as before a sensitive change. `test`: try the draft of the
    settings, as an owner who is signed in.
    """
    platform, organization = platform_of(request), _organization(request)
    try:
        tester = _tester(request) if test else None
        leaving = platform.sign_in_flow.leave(
            organization,
            return_to=TESTED if test else safe_path(next),
            max_age=_AGAIN if again else None,
            tester=tester,
            now=platform.clock(),
        )
    except SignInFailed as error:
        return _failed(request, organization, error)
    answer = _to(leaving.url)
    seconds = int(sso_sign_in.LIFETIME.total_seconds())
    set_cookie(answer, platform.origin, leaving.cookie_value, name=leaving.cookie, seconds=seconds)
    return answer


@router.get(sso_settings.CALLBACK)
def come_back(
    request: Request,
    state: str = "",
    code: str = "",
    iss: str | None = None,
    error: str = "",
) -> Response:
    """Where the identity provider sends the browser back to."""
    platform, organization = platform_of(request), _organization(request)
    name = sso_sign_in.cookie_of(state)
    try:
        if error or not code:
            raise SignInFailed(RefusalReason.PROVIDER_REFUSED, f"it answered {error[:100]!r}")
        returned = platform.sign_in_flow.come_back(
            organization,
            code=code,
            state=state,
            issuer=iss,
            cookie_value=request.cookies.get(cookie_name(platform.origin, name)),
            origin=request_origin(request),
            session_before=session_value(request, platform),
            now=platform.clock(),
        )
    except SignInFailed as failed:
        answer = _failed(request, organization, failed)
    else:
        answer = _to(returned.return_to)
        if returned.session is not None:
            session = returned.session
            seconds = int((session.ends_at - session.created_at).total_seconds())
            set_cookie(answer, platform.origin, returned.value, seconds=seconds)
    delete_cookie(answer, platform.origin, name=name)
    return answer


@router.get(TESTED)
def tested() -> HTMLResponse:
    """Says where the result of a test is. It holds nothing of the result, so it is the same for every visitor."""
    return HTMLResponse(_TESTED_PAGE, headers={"Content-Security-Policy": "default-src 'none'"})


@router.get("/sign-in/refusals")
def refusals() -> list[SignInRefusal]:
    """The sentences for each reason why a sign-in at the identity provider comes to nothing."""
    return [
        SignInRefusal(reason=reason.value, message=message, remedy=remedy)
        for reason, (message, remedy) in SENTENCES.items()
    ]


@router.post(sso_settings.BACK_CHANNEL)
async def back_channel(request: Request) -> Response:
    """The identity provider's own request that a session, or all of a person, shall end (OIDC Back-Channel Logout)."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            return _refused_logout("the request is too large")
    tokens = parse_qs(body.decode("utf-8", "replace")).get("logout_token", [])
    if len(tokens) != 1:
        return _refused_logout("the request has no logout_token, or several")
    return await anyio.to_thread.run_sync(_logged_out, request, tokens[0])


def _logged_out(request: Request, token: str) -> Response:
    platform, organization = platform_of(request), _organization(request)
    with platform.store.reading(organization) as db:
        row = sso_settings.of(db, sso_settings.ACTIVE)
        client = None if row is None else sso_settings.client_of(platform.ring, row, platform.origin)
    if client is None:
        return _refused_logout("there is no identity provider")
    try:
        claims = platform.providers.of(client.issuer).logout_claims(client, token)
    except TokenNotValid as error:
        log.warning("A back-channel logout was refused: %s", error, extra={"action": "logout_refused"})
        return _refused_logout(str(error))
    except ProviderUnreachable as error:
        return _refused_logout(str(error), status=503)
    back_channel_logout.end(
        platform.store, organization, claims, origin=request_origin(request), now=platform.clock()
    )
    return Response(status_code=200, headers={"Cache-Control": "no-store"})


def _refused_logout(why: str, status: int = 400) -> Response:
    body: dict[str, Any] = {"error": "invalid_request", "error_description": why}
    return JSONResponse(body, status, headers={"Cache-Control": "no-store"})


def _tester(request: Request) -> str:
    """The owner who tests the draft. Without a session, a test would show claims to any visitor."""
    who = signed_in(request)
    platform = platform_of(request)
    if who is not None:
        with platform.store.reading(who.organization) as db:
            bindings = people.bindings_of_user(db, who.user)
        if any(
            Permission.ORGANIZATION_UPDATE in one.role.permissions and one.scope.contains(ORGANIZATION)
            for one in bindings
        ):
            return who.name
    raise Refused(
        Code.NOT_PERMITTED,
        "the draft is tested by a signed-in owner of the organization",
        remedy="Sign in first.",
    )


def _failed(request: Request, organization: UUID, error: SignInFailed) -> Response:
    platform, now = platform_of(request), platform_of(request).clock()
    event = Event("user:?", changes={"why": error.reason.value, "detail": error.detail[:250]})
    with platform.store.transaction(organization) as db:
        record(
            db,
            action="session.begin",
            caller=people.NOBODY,
            origin=request_origin(request),
            event=event,
            result=Code.NOT_PERMITTED.value,
            now=now,
        )
    sentences = " ".join(SENTENCES[error.reason])
    return _to("/sign-in?" + urlencode({"refused": error.reason.value, "error": sentences}))


def _to(url: str) -> RedirectResponse:
    return RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})


def _organization(request: Request) -> UUID:
    return organization_of(platform_of(request))


def organization_of(platform: Platform) -> UUID:
    """The installation's organization: who is not signed in yet belongs to none."""
    with platform.store.reading_all() as db:
        return db.scalars(select(Organization.id).order_by(Organization.id)).first()  # type: ignore[return-value]
