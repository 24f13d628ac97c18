"""Terminals that are signed in by the browser of the same machine: a code for the terminal, and a token for the code."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import oauth
from tradewind_platform.domain.sign_in_sessions import LIFETIME, Method
from tradewind_platform.security.token_hashes import hashed
from tradewind_platform.services import api_tokens
from tradewind_platform.services.authorization_codes import CodeRefused, bearer_of
from tradewind_platform.services.sign_in_sessions import SignedIn
from tradewind_platform.store.access_tables import TerminalCode
from tradewind_platform.store.tables import ApiToken, User
from tradewind_protocol.access import TerminalToken
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import TerminalSignIn, TerminalSignInDecided

_KEPT: Final = LIFETIME
"""So long a used code is known: when it is used again, the token that it gave ends."""


def decide(db: Session, who: SignedIn, ask: TerminalSignIn, *, now: datetime) -> TerminalSignInDecided:
    """A person lets a terminal be signed in, or does not. Raises Refused MALFORMED for a request that is none of a terminal on
    this machine: the browser is sent nowhere then."""
    if not oauth.is_loopback_redirect(ask.redirect_uri) or not oauth.is_challenge(ask.code_challenge):
        raise Refused(
            Code.MALFORMED,
            "this is no request of a terminal on this machine",
            remedy="Run `tradewind login` again.",
        )
    if not ask.allow:
        return _back(ask, error="access_denied")
    db.execute(
        delete(TerminalCode)
        .where(TerminalCode.expires_at < now - _KEPT)
        .execution_options(synchronize_session=False)
    )
    value = secrets.token_urlsafe(32)
    db.add(
        TerminalCode(
            hash=hashed(value),
            user_id=who.user,
            session_id=who.session,
            machine=ask.machine,
            redirect_uri=ask.redirect_uri,
            challenge=ask.code_challenge,
            expires_at=now + oauth.CODE_LIFETIME,
        )
    )
    return _back(ask, code=value)


def organization_of(db: Session, code: str) -> UUID | None:
    """Of a code, looked for in all organizations."""
    found: UUID | None = db.scalar(
        select(TerminalCode.organization_id).where(TerminalCode.hash == hashed(code))
    )
    return found


def redeem(
    db: Session, code: str, *, redirect_uri: str, verifier: str, now: datetime
) -> tuple[User, TerminalToken]:
    """A token for a code, once: it may what the person may, and ends after 12 hours, with the session, or when it is deleted.

    Raises CodeRefused. A code that is brought again has deleted the token of the first time: commit even so.
    """
    row = db.scalar(select(TerminalCode).where(TerminalCode.hash == hashed(code)).with_for_update())
    if row is None:
        raise CodeRefused("there is no such code")
    if row.used_at is not None:
        token = db.get(ApiToken, row.token_id)
        if token is not None:
            token.deleted_at = token.deleted_at or now
        raise CodeRefused("the code was used already; the token that it gave is deleted")
    session, user = bearer_of(db, row, redirect_uri=redirect_uri, verifier=verifier, now=now)
    _forget_ended(db, user, now)
    ends_at = now + oauth.TERMINAL_LIFETIME
    if session.method == Method.BREAK_GLASS.value:
        ends_at = min(ends_at, session.ends_at)
    made = api_tokens.made(
        db,
        name=f"{user.name}@{row.machine or 'terminal'}",
        description="Given to a terminal by tradewind login",
        binding=None,
        owner=user.id,
        session=session.id,
        expires_at=ends_at,
        by=user.name,
        now=now,
    )
    row.used_at, row.token_id = now, made.id
    seconds = int((ends_at - now).total_seconds())
    return user, TerminalToken(access_token=made.token, expires_in=seconds, token_id=made.id)


def _forget_ended(db: Session, user: User, now: datetime) -> None:
    """Tokens of terminals that have ended are listed no longer."""
    given = select(ApiToken).where(
        ApiToken.owner_id == user.id, ApiToken.session_id.is_not(None), ApiToken.deleted_at.is_(None)
    )
    for row in db.scalars(given):
        if (row.expires_at is not None and row.expires_at <= now) or api_tokens.session_is_over(db, row):
            row.deleted_at = now


def _back(ask: TerminalSignIn, **parameters: str) -> TerminalSignInDecided:
    query = urlencode({**parameters, "state": ask.state})
    return TerminalSignInDecided(redirect_to=f"{ask.redirect_uri}?{query}")
