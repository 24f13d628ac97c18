"""Sessions of people: begun by a sign-in, found by the value of a cookie, over after an hour of silence."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import sign_in_sessions as rules
from tradewind_platform.domain.roles import Principal
from tradewind_platform.domain.sign_in_sessions import EndReason, Method, SessionState, SessionTimes
from tradewind_platform.security.token_hashes import hashed
from tradewind_platform.services import people
from tradewind_platform.services.change import Change, Origin
from tradewind_platform.store.people_tables import SignInSession
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import ApiToken, User
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import SignInSessionView

_SEEN_EVERY: Final = timedelta(minutes=1)
_LENGTH: Final = 43  # 256 bits in URL-safe base64


@dataclass(frozen=True)
class SignedIn:
    """A person whose session is live, as the cookie of a request says."""

    organization: UUID
    user: UUID
    name: str
    session: UUID
    method: Method
    authenticated_at: datetime
    ends_at: datetime

    @property
    def is_break_glass(self) -> bool:
        return self.method is Method.BREAK_GLASS


def begin(
    db: Session,
    user: UUID,
    *,
    method: Method,
    origin: Origin,
    now: datetime,
    authenticated_at: datetime | None = None,
    idp_subject: str | None = None,
    idp_sid: str | None = None,
) -> tuple[SignInSession, str]:
    """A new session and the value of its cookie, which is kept nowhere."""
    value = secrets.token_urlsafe(32)
    row = SignInSession(
        hash=hashed(value),
        user_id=user,
        method=method.value,
        created_at=now,
        authenticated_at=authenticated_at or now,
        last_seen_at=now,
        ends_at=now + rules.lifetime(method),
        address=origin.address[:250],
        client=origin.client[:250],
        idp_subject=idp_subject,
        idp_sid=idp_sid,
    )
    db.add(row)
    db.flush()
    return row, value


def keep_terminals(db: Session, before: str, session: SignInSession) -> None:
    """Terminals that the same person's session before has signed in end with this one instead. `before`: its cookie's value."""
    given = (
        select(ApiToken)
        .join(SignInSession, SignInSession.id == ApiToken.session_id)
        .where(SignInSession.hash == hashed(before), ApiToken.owner_id == session.user_id)
    )
    for row in db.scalars(given):
        row.session_id = session.id


def authenticate(store: Store, value: str, *, now: datetime) -> tuple[SignedIn, Principal]:
    """The person of a cookie's value, and what they may do now. Raises Refused SESSION_UNKNOWN or SESSION_EXPIRED."""
    row = None
    if len(value) == _LENGTH:
        with store.reading_all() as db:
            row = db.scalar(select(SignInSession).where(SignInSession.hash == hashed(value)))
            user = None if row is None else db.get_one(User, row.user_id)
            bindings = () if row is None else people.bindings_of_user(db, row.user_id)
    if row is None or user is None:
        raise Refused(Code.SESSION_UNKNOWN, "the platform does not know this session", remedy="Sign in.")
    if user.disabled_at is not None or state_of(row, now) is not SessionState.LIVE:
        raise Refused(Code.SESSION_EXPIRED, "the session is over", remedy="Sign in again.")
    if now - row.last_seen_at >= _SEEN_EVERY:
        with store.transaction(row.organization_id) as db:
            db.get_one(SignInSession, row.id).last_seen_at = now
    method = Method(row.method)
    found = SignedIn(
        organization=row.organization_id,
        user=user.id,
        name=user.name,
        session=row.id,
        method=method,
        authenticated_at=row.authenticated_at,
        ends_at=row.ends_at,
    )
    # The audit trail tells what was done through a link of the machine from what was done after a sign-in.
    kind = "break_glass" if found.is_break_glass else "user"
    return found, Principal(kind, user.id, user.name, bindings, owner=user.id)


def state_of(row: SignInSession, now: datetime) -> SessionState:
    return rules.state(SessionTimes(row.last_seen_at, row.ends_at, row.ended_at), now)


def listed(db: Session, caller: Principal, *, now: datetime, current: UUID | None) -> list[SignInSessionView]:
    """The caller's own live sessions, the newest first; none for a token that belongs to no user."""
    rows = db.scalars(
        select(SignInSession)
        .where(SignInSession.user_id == caller.user, SignInSession.ended_at.is_(None))
        .order_by(SignInSession.id.desc())
    )
    return [view(row, current=current) for row in rows if state_of(row, now) is SessionState.LIVE]


def end_own(change: Change, session: UUID) -> None:
    """End a session of the caller's own. Raises Refused NOT_FOUND for another one."""
    user = _user(change)
    change.event.target = f"session:{session}"
    row = change.db.get(SignInSession, session)
    if row is None or row.user_id != user or state_of(row, change.now) is not SessionState.LIVE:
        raise Refused(Code.NOT_FOUND, f"there is no session {str(session)!r} of yours")
    end(row, EndReason.ENDED_BY_USER, now=change.now)


def end_own_others(change: Change, *, current: UUID | None) -> None:
    """End all sessions of the caller but the one that asks."""
    user = _user(change)
    change.event.target = f"user:{user}"
    count = end_of_user(change.db, user, EndReason.ENDED_BY_USER, now=change.now, but=current)
    change.event.changes = {"sessions_ended": count}


def end_of_user(db: Session, user: UUID, reason: EndReason, *, now: datetime, but: UUID | None = None) -> int:
    """End the sessions of a user, all or all but one. Returns how many."""
    return end_where(db, SignInSession.user_id == user, SignInSession.id != but, reason=reason, now=now)


def end_where(db: Session, *conditions: ColumnElement[bool], reason: EndReason, now: datetime) -> int:
    """End the sessions for which all conditions hold. Returns how many."""
    rows = db.scalars(select(SignInSession).where(SignInSession.ended_at.is_(None), *conditions)).all()
    for row in rows:
        end(row, reason, now=now)
    return len(rows)


def end(row: SignInSession, reason: EndReason, *, now: datetime) -> None:
    """It opens nothing from the commit on. One that has ended stays as it is."""
    if row.ended_at is None:
        row.ended_at, row.end_reason = now, reason.value


def view(row: SignInSession, *, current: UUID | None) -> SignInSessionView:
    return SignInSessionView(
        id=row.id,
        method=row.method,
        created_at=row.created_at,
        authenticated_at=row.authenticated_at,
        last_seen_at=row.last_seen_at,
        ends_at=row.ends_at,
        address=row.address,
        client=row.client,
        current=row.id == current,
    )


def _user(change: Change) -> UUID:
    caller = change.caller
    if caller.user is None:
        raise Refused(
            Code.NOT_PERMITTED,
            f"{caller.name} is no person, so it has no sessions",
            remedy="Ask in a browser where you are signed in, or with a personal token.",
        )
    if not all(caller.has_all_of(one.role, one.scope) for one in caller.limits or ()):
        raise Refused(
            Code.NOT_PERMITTED,
            f"a session of its owner may do more than {caller.name}, which asks",
            remedy="Sign in, and end it as yourself.",
        )
    return caller.user
