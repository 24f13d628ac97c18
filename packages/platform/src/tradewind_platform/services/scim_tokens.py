"""The organization's SCIM token: without one, no identity provider pushes anything. It is kept as a hash."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import scim_tokens as rules
from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal
from tradewind_platform.security.token_hashes import hashed
from tradewind_platform.services.change import Change, require
from tradewind_platform.store.scim_tables import ScimGroup, ScimToken, ScimUser
from tradewind_platform.store.sessions import Store
from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.people import NewScimToken, ScimTokenCreated, ScimView

PATH: Final = "/scim/v2"
_LAST_USED_EVERY: Final = timedelta(minutes=1)
_TARGET: Final = "organization:scim"


def create(change: Change, ask: NewScimToken, origin: str) -> ScimTokenCreated:
    """A new value: with the first one, SCIM is turned on. Those before are good for the overlap, and not longer than
    they were. The value is in nothing but what is returned."""
    change.event.target = _TARGET
    change.require(Permission.ORGANIZATION_UPDATE, ORGANIZATION)
    until = change.now + timedelta(minutes=ask.overlap_minutes)
    before = _values(change.db)
    for old in before:
        old.until = until if old.until is None else min(old.until, until)
    value = ids.new_secret(rules.PREFIX)
    change.db.add(
        ScimToken(
            hash=hashed(value),
            prefix=value[: rules.SHOWN],
            created_at=change.now,
            created_by=change.caller.name,
        )
    )
    change.db.flush()
    change.event.changes = {"token": "changed" if before else "created"}
    return ScimTokenCreated(**view(change.db, origin, now=change.now).model_dump(), token=value)


def revoke(change: Change) -> None:
    """No value opens anything from the commit on: SCIM is off. People, groups and teams stay as they are. Idempotent."""
    change.event.target = _TARGET
    change.require(Permission.ORGANIZATION_UPDATE, ORGANIZATION)
    for old in _values(change.db):
        change.db.delete(old)
        change.event.changes = {"token": "revoked"}


def get(db: Session, caller: Principal, origin: str, *, now: datetime) -> ScimView:
    require(caller, Permission.ORGANIZATION_GET, ORGANIZATION)
    return view(db, origin, now=now)


def view(db: Session, origin: str, *, now: datetime) -> ScimView:
    values = [one for one in _values(db) if one.until is None or one.until > now]
    newest = next((one for one in values if one.until is None), None)
    users = select(func.count()).select_from(ScimUser).where(ScimUser.deleted_at.is_(None))
    return ScimView(
        enabled=bool(values),
        base_url=origin + PATH,
        prefix="" if newest is None else newest.prefix,
        created_at=None if newest is None else newest.created_at,
        created_by="" if newest is None else newest.created_by,
        last_used_at=max((one.last_used_at for one in values if one.last_used_at is not None), default=None),
        old_values_until=max((one.until for one in values if one.until is not None), default=None),
        users=db.scalar(users) or 0,
        groups=db.scalar(select(func.count()).select_from(ScimGroup)) or 0,
    )


def authenticate(store: Store, token: str, *, now: datetime) -> tuple[UUID, Principal]:
    """The organization of a token, and the caller that a request with it is. Raises Refused."""
    if not ids.has_form_of(token, rules.PREFIX):
        raise Refused(
            Code.TOKEN_MALFORMED,
            "this is not a SCIM token",
            remedy=f"One begins with {rules.PREFIX}; `tradewind scim create-token` prints it.",
        )
    with store.reading_all() as db:
        row = db.scalar(select(ScimToken).where(ScimToken.hash == hashed(token)))
    if row is None:
        raise Refused(
            Code.TOKEN_UNKNOWN,
            "the platform does not know this SCIM token",
            remedy="It was revoked, or is another platform's: `tradewind scim create-token` makes one.",
        )
    if row.until is not None and row.until <= now:
        raise Refused(Code.TOKEN_EXPIRED, "the SCIM token was replaced, and this is the value from before")
    if row.last_used_at is None or now - row.last_used_at >= _LAST_USED_EVERY:
        with store.transaction(row.organization_id) as db:
            if (stored := db.get(ScimToken, row.id)) is not None:
                stored.last_used_at = now
    return row.organization_id, Principal("scim", row.id, "identity provider (SCIM)", ())


def _values(db: Session) -> list[ScimToken]:
    return list(db.scalars(select(ScimToken).order_by(ScimToken.created_at, ScimToken.id)))
