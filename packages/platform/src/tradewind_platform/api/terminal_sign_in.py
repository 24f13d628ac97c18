"""How the command line is signed in by a browser (RFC 8252): what the provider does for its one public client.

A terminal opens the browser at `/oauth/authorize`. A person says yes on a page, whose answer leads the browser to the terminal
with a code. Nothing is given without that yes: any program of the machine can ask.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from tradewind_platform.api import changes
from tradewind_platform.api.authentication import require_own_page, signed_in
from tradewind_platform.api.context import platform_of, request_origin
from tradewind_platform.domain import oauth
from tradewind_platform.domain.roles import Principal
from tradewind_platform.services import people, terminal_sign_ins
from tradewind_platform.services.authorization_codes import CodeRefused
from tradewind_platform.services.change import Event, record
from tradewind_protocol.access import AUTHORIZE_PATH, TerminalToken
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import TerminalSignIn

router = APIRouter(include_in_schema=False)
ACTION = "terminal.signIn"
PAGE = "/terminal-sign-in"
"""The page on which a person decides."""
_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


@router.post(AUTHORIZE_PATH)
def decide(request: Request, ask: TerminalSignIn) -> Response:
    """What a person decided about a terminal: the answer says where the browser goes. Takes it from the platform's own pages only.

    Raises Refused SESSION_UNKNOWN without a session, NOT_PERMITTED for one that is too old for this, and MALFORMED.
    """
    platform, who, now = platform_of(request), signed_in(request), platform_of(request).clock()
    require_own_page(request.method, request.headers, platform)
    if who is None:
        raise Refused(
            Code.SESSION_UNKNOWN, "you are signed out", remedy="Sign in, and run `tradewind login` again."
        )
    kind = "break_glass" if who.is_break_glass else "user"

    def note(db: Session, result: str) -> None:
        record(
            db,
            action=ACTION,
            caller=Principal(kind, who.user, who.name, ()),
            origin=request_origin(request),
            event=Event(f"terminal:{ask.machine}", changes={"allowed": ask.allow}),
            result=result,
            now=now,
        )

    try:
        with platform.store.transaction(who.organization) as db:
            changes.require_recent_sign_in(db, who, ACTION, now)
            decided = terminal_sign_ins.decide(db, who, ask, now=now)
            note(db, changes.DONE)
    except Refused as error:
        with platform.store.transaction(who.organization) as db:
            note(db, error.code.value)
        raise
    return Response(decided.model_dump_json(), media_type="application/json", headers=_NO_STORE)


def authorize(request: Request, redirect_uri: str, state: str, challenge: str) -> Response | None:
    """To the page on which a person decides, by way of the sign-in page; None for a request that is none of a terminal."""
    if not oauth.is_loopback_redirect(redirect_uri) or not state or not oauth.is_challenge(challenge):
        return None
    if signed_in(request) is None:
        here = f"{AUTHORIZE_PATH}?{request.url.query}"
        return RedirectResponse(f"/sign-in?next={quote(here, safe='')}", 302, headers=_NO_STORE)
    asked = {
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge,
        "machine": request.query_params.get("machine", ""),
    }
    return RedirectResponse(f"{PAGE}?{urlencode(asked)}", 302, headers=_NO_STORE)


def exchanged(request: Request, form: dict[str, str]) -> TerminalToken | None:
    """The token of a code; None for one that gives none. Each has an audit event, where its organization is known."""
    platform, origin = platform_of(request), request_origin(request)
    now, code = platform.clock(), form.get("code", "")
    with platform.store.reading_all() as db:
        organization = terminal_sign_ins.organization_of(db, code)
    if organization is None:
        return None
    with platform.store.transaction(organization) as db:
        try:
            user, token = terminal_sign_ins.redeem(
                db,
                code,
                redirect_uri=form.get("redirect_uri", ""),
                verifier=form.get("code_verifier", ""),
                now=now,
            )
        except CodeRefused as error:
            record(
                db,
                action=ACTION,
                caller=Principal("nobody", organization, "terminal", ()),
                origin=origin,
                event=Event("terminal", reason=str(error)),
                result="invalid_grant",
                now=now,
            )
            return None
        record(
            db,
            action="apiToken.create",
            caller=people.principal_of_user(db, user),
            origin=origin,
            event=Event(f"api-token:{token.token_id}", reason="signs in a terminal"),
            result="done",
            now=now,
        )
        return token
