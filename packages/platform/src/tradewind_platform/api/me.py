"""The caller: its roles, and the sessions of a person."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import caller_of, platform_of
from tradewind_platform.api.parameters import Reason
from tradewind_platform.api.reads import reading
from tradewind_platform.services import sign_in_sessions
from tradewind_platform.store.people_tables import SignInSession
from tradewind_platform.store.tables import Organization
from tradewind_protocol.operator import Page
from tradewind_protocol.platform import Grant, Me, SignInSessionView

router = APIRouter()


@router.get("/me")
def me(request: Request) -> Me:
    """The caller, its roles with what they allow, and its session."""
    caller = caller_of(request)
    who = caller.signed_in
    with reading(request) as (db, principal):
        organization = db.get_one(Organization, caller.organization).name
        session = None
        if who is not None:
            session = sign_in_sessions.view(db.get_one(SignInSession, who.session), current=who.session)
    grants = tuple(
        Grant(
            role=one.role.value,
            workspace=one.scope.workspace,
            deployment=one.scope.deployment,
            permissions=tuple(sorted(permission.value for permission in one.role.permissions)),
        )
        for one in principal.bindings
    )
    return Me(
        kind=principal.kind,
        name=principal.name,
        organization=organization,
        organization_id=caller.organization,
        user=principal.user,
        grants=grants,
        session=session,
        break_glass=who is not None and who.is_break_glass,
    )


@router.get("/me/sessions")
def list_sessions(request: Request) -> Page[SignInSessionView]:
    """The person's own live sessions, the newest first."""
    who, now = caller_of(request).signed_in, platform_of(request).clock()
    current = None if who is None else who.session
    with reading(request) as (db, caller):
        items = sign_in_sessions.listed(db, caller, now=now, current=current)
    return Page[SignInSessionView](items=tuple(items), total=len(items), limit=max(len(items), 1), offset=0)


@router.delete("/me/sessions", status_code=204)
def end_other_sessions(request: Request, reason: Reason = "") -> Response:
    """End all sessions of the person but the one that asks."""
    who = caller_of(request).signed_in
    current = None if who is None else who.session
    return changes.run(
        request,
        "session.end",
        None,
        lambda change: sign_in_sessions.end_own_others(change, current=current),
        reason=reason,
        status=204,
    )


@router.delete("/me/sessions/{session}", status_code=204)
def end_session(request: Request, session: UUID, reason: Reason = "") -> Response:
    """End one session of the person's own. It opens nothing from then on."""
    return changes.run(
        request,
        "session.end",
        None,
        lambda change: sign_in_sessions.end_own(change, session),
        reason=reason,
        status=204,
    )
