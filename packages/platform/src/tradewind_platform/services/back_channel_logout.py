"""Ends sessions when the identity provider says that a person has signed out there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

from tradewind_platform.domain.sign_in_sessions import EndReason
from tradewind_platform.services import people, sign_in_sessions
from tradewind_platform.services.change import Event, Origin, record
from tradewind_platform.store.people_tables import SignInSession
from tradewind_platform.store.sessions import Store

_SKEW: Final = timedelta(minutes=1)


def end(store: Store, organization: UUID, claims: Mapping[str, Any], *, origin: Origin, now: datetime) -> int:
    """End the sessions that the claims name: one by its `sid`, or all of the person. Returns how many.

    Sessions that began after the token was made go on, so a token that is sent twice ends nothing new.
    """
    made = datetime.fromtimestamp(float(claims["iat"]), timezone.utc)
    conditions = [SignInSession.created_at <= made + _SKEW]
    if isinstance(claims.get("sid"), str):
        conditions.append(SignInSession.idp_sid == claims["sid"])
    if isinstance(claims.get("sub"), str):
        conditions.append(SignInSession.idp_subject == claims["sub"])
    with store.transaction(organization) as db:
        reason = EndReason.LOGGED_OUT_AT_IDENTITY_PROVIDER
        count = sign_in_sessions.end_where(db, *conditions, reason=reason, now=now)
        event = Event("session:?", changes={"sessions_ended": count})
        record(
            db,
            action="session.end",
            caller=people.SYSTEM,
            origin=origin,
            event=event,
            result="done",
            now=now,
        )
    return count
