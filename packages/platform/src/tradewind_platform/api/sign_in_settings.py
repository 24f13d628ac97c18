"""How the organization's people sign in: a draft, its test, and the settings in use."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import platform_of
from tradewind_platform.api.parameters import Reason
from tradewind_platform.api.reads import reading
from tradewind_platform.services import group_teams, sso_settings
from tradewind_platform.services.change import Change
from tradewind_protocol.people import SignInSettings, SignInView

router = APIRouter()


@router.get("/organization/sign-in")
def get_sign_in_settings(request: Request) -> SignInView:
    """The settings in use, those that wait for a test, and the addresses to register at the identity provider."""
    with reading(request) as (db, caller):
        return sso_settings.get(db, caller, platform_of(request).origin)


@router.put("/organization/sign-in", response_model=SignInView)
def put_sign_in_settings(request: Request, ask: SignInSettings, reason: Reason = "") -> Response:
    """Keep a draft. It is used once a person has signed in with it at its `test_url`, and it is activated."""
    origin = platform_of(request).origin

    def put(change: Change) -> SignInView:
        sso_settings.put_draft(change, ask)
        return sso_settings.view(change.db, origin)

    return changes.run(request, "signIn.update", ask, put, reason=reason)


@router.post("/organization/sign-in/activate", response_model=SignInView)
def activate_sign_in_settings(request: Request, reason: Reason = "") -> Response:
    """Use the draft. Refused until a test sign-in with it has come in."""
    origin = platform_of(request).origin

    def activate(change: Change) -> SignInView:
        sso_settings.activate(change)
        change.db.flush()
        group_teams.require_teams_of_their_own(change.db)
        group_teams.follow_all(change.db, now=change.now)
        return sso_settings.view(change.db, origin)

    return changes.run(request, "signIn.activate", None, activate, reason=reason)


@router.delete("/organization/sign-in", status_code=204)
def delete_sign_in_settings(request: Request, reason: Reason = "") -> Response:
    """No more sign-in at the identity provider. Sessions that were begun there end."""
    return changes.run(request, "signIn.delete", None, sso_settings.turn_off, reason=reason, status=204)
