"""Sign-in of people with a browser: what the pages `/sign-in` and `/welcome` send, and sign-out.

These paths are beside `/v1`, because they need no session. Each is JSON, and takes changes only from the platform's
own pages (`Origin`). Each attempt has an audit event, but for those that are turned away for being too many.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.api.authentication import require_own_page, session_value, signed_in
from tradewind_platform.api.context import Platform, platform_of, request_origin
from tradewind_platform.api.cookies import delete_cookie, set_cookie
from tradewind_platform.domain.roles import Principal
from tradewind_platform.domain.sign_in_sessions import EndReason, Method
from tradewind_platform.security.attempt_limiter import AttemptLimiter
from tradewind_platform.security.openid_connect import ProviderUnreachable, TokenNotValid
from tradewind_platform.security.token_hashes import hashed
from tradewind_platform.services import local_accounts, people, sign_in_sessions, sso_settings
from tradewind_platform.services.change import Event, Origin, record
from tradewind_platform.services.sign_in_sessions import SignedIn
from tradewind_platform.store.people_tables import SignInLink, SignInSession
from tradewind_platform.store.tables import Organization, User
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import (
    LinkAsk,
    LinkView,
    NewPassword,
    SignedOut,
    SignIn,
    SignInMethod,
    SignInOptions,
    Welcome,
)

router = APIRouter(include_in_schema=False)
FIRST: Final = "first_administrator"
BREAK_GLASS: Final = "break_glass"


@router.get("/sign-in/options")
def options(request: Request) -> SignInOptions:
    """What the sign-in page shows. Needs no session."""
    platform = platform_of(request)
    with platform.store.reading_all() as db:
        organization = db.scalars(select(Organization).order_by(Organization.id)).one()
        no_one = people.is_empty(db)
    methods = [SignInMethod(kind="password", label="Name and password", url="/sign-in")]
    with platform.store.reading(organization.id) as db:
        used = sso_settings.of(db, sso_settings.ACTIVE)
    if used is not None:
        label = sso_settings.settings_of(used).label
        methods.insert(0, SignInMethod(kind="identity_provider", label=label, url=sso_settings.START))
    return SignInOptions(
        organization=organization.name,
        methods=tuple(methods),
        has_administrator=not no_one,
    )


@router.post("/sign-in")
def sign_in(request: Request, ask: SignIn) -> Response:
    """Begin a session by name and password: 200 with the session, and its cookie.

    Raises Refused NOT_PERMITTED, the same for an unknown name and a wrong password, and RATE_LIMITED.
    """
    platform, origin = platform_of(request), request_origin(request)
    require_own_page(request.method, request.headers, platform)
    now = platform.clock()
    name = ask.name.strip().lower()
    _limited(platform.sign_in_limits.address, origin.address, now)
    _limited(platform.sign_in_limits.name, (name, origin.address), now)
    user = local_accounts.user_of_password(platform.store, platform.passwords, name, ask.password)
    if user is None:
        refused = Refused(
            Code.NOT_PERMITTED,
            "there is no user with this name and password",
            remedy="Check both. If you have forgotten your password, ask an administrator.",
        )
        _record_refusal(platform, origin, name, refused)
        raise refused
    platform.sign_in_limits.name.forget((name, origin.address))
    with platform.store.transaction(user.organization_id) as db:
        begun = _begin(request, platform, db, user, Method.PASSWORD)
    return _answered(platform, *begun)


@router.post("/welcome/link")
def about_link(request: Request, ask: LinkAsk) -> LinkView:
    """What the link of `/welcome?code=…` is for. It stays usable."""
    platform = platform_of(request)
    require_own_page(request.method, request.headers, platform)
    _limited(platform.sign_in_limits.address, request_origin(request).address, platform.clock())
    link = local_accounts.link_of(platform.store, ask.code, now=platform.clock())
    if link.user_id is None:
        return LinkView(kind=FIRST, expires_at=link.expires_at)
    with platform.store.reading(link.organization_id) as db:
        return LinkView(
            kind=BREAK_GLASS, name=db.get_one(User, link.user_id).name, expires_at=link.expires_at
        )


@router.post("/welcome")
def welcome(request: Request, ask: Welcome) -> Response:
    """Use a one-time link: 200 with the session that it begins, and its cookie.

    The link of the first start makes the first administrator, and needs `name` and `password`. Another one signs its
    user in for 15 minutes (break-glass). Raises Refused TOKEN_UNKNOWN, TOKEN_DELETED (used), TOKEN_EXPIRED.
    """
    platform, origin, now = platform_of(request), request_origin(request), platform_of(request).clock()
    require_own_page(request.method, request.headers, platform)
    _limited(platform.sign_in_limits.address, origin.address, now)
    try:
        link = local_accounts.link_of(platform.store, ask.code, now=now)
        begun = (
            _first_administrator(request, link, ask) if link.user_id is None else _break_glass(request, link)
        )
    except Refused as error:
        _record_refusal(platform, origin, "", error)
        raise
    return _answered(platform, *begun)


@router.post("/sign-in/password")
def change_password(request: Request, ask: NewPassword) -> Response:
    """Give the signed-in person another password, and end their other sessions. 204.

    Raises Refused TOKEN_MISSING without a session, NOT_PERMITTED for a wrong current password, CONFLICT for a person
    who signs in at the identity provider.
    """
    platform, origin, now = platform_of(request), request_origin(request), platform_of(request).clock()
    require_own_page(request.method, request.headers, platform)
    who = signed_in(request)
    if who is None:
        raise Refused(Code.TOKEN_MISSING, "the request has no session", remedy="Sign in.")
    _limited(platform.sign_in_limits.name, (who.name, origin.address), now)
    if not who.is_break_glass:
        with platform.store.reading(who.organization) as db:
            has_one = local_accounts.has_password(db, who.user)
        if not has_one:
            raise Refused(Code.CONFLICT, f"{who.name} has no password here, and signs in another way")
        if not local_accounts.is_password_of(platform.store, platform.passwords, who.user, ask.current):
            raise Refused(Code.NOT_PERMITTED, "the current password is another one")
    platform.sign_in_limits.name.forget((who.name, origin.address))
    hash = platform.passwords.hash(ask.password)
    with platform.store.transaction(who.organization) as db:
        local_accounts.set_password(db, who.user, hash, now=now)
        sign_in_sessions.end_of_user(db, who.user, EndReason.ENDED_BY_USER, now=now, but=who.session)
        event = Event(f"user:{who.name}", changes={"password": "changed"})
        caller = Principal(BREAK_GLASS if who.is_break_glass else "user", who.user, who.name, ())
        record(
            db, action="password.update", caller=caller, origin=origin, event=event, result="done", now=now
        )
    return Response(status_code=204)


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the session and delete its cookie. Without a session, the same answer."""
    platform, origin, now = platform_of(request), request_origin(request), platform_of(request).clock()
    require_own_page(request.method, request.headers, platform)
    who = signed_in(request)
    if who is not None:
        with platform.store.transaction(who.organization) as db:
            sign_in_sessions.end(db.get_one(SignInSession, who.session), EndReason.SIGNED_OUT, now=now)
            caller = Principal("user", who.user, who.name, ())
            event = Event(f"user:{who.name}")
            record(
                db, action="session.end", caller=caller, origin=origin, event=event, result="done", now=now
            )
    answer = _json(SignedOut(url=_end_at_provider(platform, who)).model_dump_json())
    delete_cookie(answer, platform.origin)
    return answer


def _end_at_provider(platform: Platform, who: SignedIn | None) -> str | None:
    """Where the browser ends the session at the identity provider, too; None where there is no such place."""
    if who is None or who.method is not Method.IDENTITY_PROVIDER:
        return None
    with platform.store.reading(who.organization) as db:
        row = sso_settings.of(db, sso_settings.ACTIVE)
    if row is None:
        return None
    try:
        url = platform.providers.of(row.issuer).metadata().end_session_endpoint
    except (ProviderUnreachable, TokenNotValid):
        return None
    query = urlencode({"client_id": row.client_id, "post_logout_redirect_uri": platform.origin + "/"})
    return None if url is None else f"{url}{'&' if '?' in url else '?'}{query}"


def _first_administrator(request: Request, link: SignInLink, ask: Welcome) -> tuple[SignInSession, str]:
    platform, now = platform_of(request), platform_of(request).clock()
    if ask.name is None or ask.password is None:
        raise Refused(
            Code.MALFORMED,
            "the link makes the first administrator, and the request has no name or no password",
            remedy="Send both; a password has 12 characters at least.",
        )
    hash = platform.passwords.hash(ask.password)
    with platform.store.transaction(link.organization_id) as db:
        local_accounts.use(db, link.id, now=now)
        user = people.create_owner(db, ask.name, now=now)
        local_accounts.set_password(db, user.id, hash, now=now)
        people.record_admin(db, user.name, now=now, origin=request_origin(request))
        return _begin(request, platform, db, user, Method.PASSWORD)


def _break_glass(request: Request, link: SignInLink) -> tuple[SignInSession, str]:
    platform, now = platform_of(request), platform_of(request).clock()
    with platform.store.transaction(link.organization_id) as db:
        local_accounts.use(db, link.id, now=now)
        user = db.get_one(User, link.user_id)
        if user.disabled_at is not None:
            raise Refused(Code.NOT_PERMITTED, f"the user {user.name!r} is disabled")
        return _begin(request, platform, db, user, Method.BREAK_GLASS)


def _begin(
    request: Request, platform: Platform, db: Session, user: User, method: Method
) -> tuple[SignInSession, str]:
    """A session with its audit event. The one that the browser had before ends: its cookie is overwritten."""
    now, origin = platform.clock(), request_origin(request)
    before = session_value(request, platform)
    if before is not None:
        sign_in_sessions.end_where(
            db, SignInSession.hash == hashed(before), reason=EndReason.SIGNED_IN_AGAIN, now=now
        )
    begun = sign_in_sessions.begin(db, user.id, method=method, origin=origin, now=now)
    if before is not None and method is not Method.BREAK_GLASS:
        sign_in_sessions.keep_terminals(db, before, begun[0])
    kind = BREAK_GLASS if method is Method.BREAK_GLASS else "user"
    caller = Principal(kind, user.id, user.name, ())
    event = Event(f"user:{user.name}", changes={"method": method.value})
    record(db, action="session.begin", caller=caller, origin=origin, event=event, result="done", now=now)
    return begun


def _answered(platform: Platform, row: SignInSession, value: str) -> Response:
    answer = _json(sign_in_sessions.view(row, current=row.id).model_dump_json())
    seconds = int((row.ends_at - row.created_at).total_seconds())
    set_cookie(answer, platform.origin, value, seconds=seconds)
    return answer


def _record_refusal(platform: Platform, origin: Origin, name: str, error: Refused) -> None:
    """The audit event of a sign-in that was refused. A name that no user has is left out: it may be a password."""
    now = platform.clock()
    with platform.store.reading_all() as db:
        organization = db.scalars(select(Organization.id).order_by(Organization.id)).first()
        known = db.scalar(select(User.name).where(User.name == name)) is not None
    if organization is None:
        return
    event = Event(f"user:{name}" if known else "user:?")
    with platform.store.transaction(organization) as db:
        record(
            db,
            action="session.begin",
            caller=people.NOBODY,
            origin=origin,
            event=event,
            result=error.code.value,
            now=now,
        )


def _limited(limiter: AttemptLimiter, key: Hashable, now: datetime) -> None:
    wait = limiter.take(key, now)
    if wait is not None:
        seconds = math.ceil(wait.total_seconds())
        raise Refused(
            Code.RATE_LIMITED,
            "there were too many attempts to sign in",
            remedy=f"Try again in {seconds} seconds.",
            retry_after=seconds,
        )


def _json(body: str) -> Response:
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})
