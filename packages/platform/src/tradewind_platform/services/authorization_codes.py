"""Codes that sign a person in to the Airflow of a Deployment: made for a session, good once and for a minute."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import oauth
from tradewind_platform.domain.sign_in_sessions import LIFETIME, EndReason, SessionState
from tradewind_platform.security.token_hashes import hashed
from tradewind_platform.services import sign_in_sessions
from tradewind_platform.store.access_tables import AuthorizationCode, TerminalCode
from tradewind_platform.store.people_tables import SignInSession
from tradewind_platform.store.tables import User

_KEPT: Final = LIFETIME + timedelta(hours=1)


class CodeRefused(Exception):
    """A code that signs nobody in. Its text is for a log; the caller gets no more than that."""


def issue(
    db: Session,
    *,
    deployment: UUID,
    user: UUID,
    session: UUID,
    redirect_uri: str,
    challenge: str,
    now: datetime,
) -> str:
    """A new code. Those of sessions that are long over are deleted."""
    db.execute(
        delete(AuthorizationCode)
        .where(AuthorizationCode.expires_at < now - _KEPT)
        .execution_options(synchronize_session=False)
    )
    value = secrets.token_urlsafe(32)
    db.add(
        AuthorizationCode(
            hash=hashed(value),
            deployment_id=deployment,
            user_id=user,
            session_id=session,
            redirect_uri=redirect_uri,
            challenge=challenge,
            expires_at=now + oauth.CODE_LIFETIME,
        )
    )
    return value


def redeem(
    db: Session, code: str, *, deployment: UUID, redirect_uri: str, verifier: str, now: datetime
) -> tuple[User, SignInSession]:
    """The person and the session of a code. From the commit on it is used. Raises CodeRefused, and then nothing has changed."""
    row = db.scalar(select(AuthorizationCode).where(AuthorizationCode.hash == hashed(code)).with_for_update())
    if row is None or row.deployment_id != deployment:
        raise CodeRefused("the Deployment was given no such code")
    if row.used_at is not None:
        raise CodeRefused("the code was used already")
    session, user = bearer_of(db, row, redirect_uri=redirect_uri, verifier=verifier, now=now)
    row.used_at = now
    return user, session


def bearer_of(
    db: Session, row: AuthorizationCode | TerminalCode, *, redirect_uri: str, verifier: str, now: datetime
) -> tuple[SignInSession, User]:
    """The session and the person of a code that is not used, as they are now. Changes nothing. Raises CodeRefused."""
    if row.expires_at <= now:
        raise CodeRefused("the code has expired")
    if row.redirect_uri != redirect_uri:
        raise CodeRefused("the code was made for another redirect_uri")
    if not oauth.verifies(verifier, row.challenge):
        raise CodeRefused("the code_verifier is another one")
    session, user = db.get_one(SignInSession, row.session_id), db.get_one(User, row.user_id)
    if user.disabled_at is not None or sign_in_sessions.state_of(session, now) is not SessionState.LIVE:
        raise CodeRefused("the session is over")
    return session, user


def end_session(db: Session, session: UUID, *, deployment: UUID, now: datetime) -> User | None:
    """End a session that signed a person in to the Deployment, and return that person. None for any other session."""
    known = db.scalar(
        select(AuthorizationCode.user_id).where(
            AuthorizationCode.session_id == session,
            AuthorizationCode.deployment_id == deployment,
            AuthorizationCode.used_at.is_not(None),
        )
    )
    if known is None:
        return None
    sign_in_sessions.end(db.get_one(SignInSession, session), EndReason.SIGNED_OUT, now=now)
    return db.get_one(User, known)
