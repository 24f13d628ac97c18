"""API tokens: one role on one scope, kept as hashes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import api_tokens as rules
from tradewind_platform.domain.api_tokens import Validity
from tradewind_platform.domain.roles import Binding, Permission, Principal, Target
from tradewind_platform.security.token_hashes import hashed
from tradewind_platform.services import people, role_bindings
from tradewind_platform.services.change import Change
from tradewind_platform.services.references import uuid_of
from tradewind_platform.services.role_lookup import roles_of
from tradewind_platform.store.people_tables import SignInSession
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import ApiToken, ApiTokenValue, User
from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import ApiTokenCreated, ApiTokenView, NewApiToken, RotateApiToken

_LAST_USED_EVERY: Final = timedelta(minutes=1)
_REFUSED: Final = {
    Validity.EXPIRED: (Code.TOKEN_EXPIRED, "has expired", "Create another one."),
    Validity.REPLACED: (
        Code.TOKEN_EXPIRED,
        "was rotated, and this is the value from before",
        "Use the new value.",
    ),
    Validity.DELETED: (Code.TOKEN_DELETED, "was deleted", "Create another one."),
}


def create(change: Change, ask: NewApiToken) -> ApiTokenCreated:
    """The caller must be able to give the role, and a personal token is the caller's own."""
    change.event.target = f"api-token:{ask.name}"
    binding = role_bindings.asked_for(change, ask.role, ask.workspace, ask.deployment)
    change.event.changes = {"role": [None, ask.role]}
    owner = _owner(change, ask, binding)
    if owner is None and not change.caller.may_grant(binding):
        raise Refused(
            Code.NOT_PERMITTED,
            f"{change.caller.name} may not give the role {ask.role} there: it has permissions that the caller has not, "
            "or the caller may not change members",
            remedy="Ask an owner, or create a personal token.",
        )
    return made(
        change.db,
        name=ask.name,
        binding=binding,
        description=ask.description,
        owner=owner,
        expires_at=None if ask.expires_in_days is None else change.now + timedelta(days=ask.expires_in_days),
        by=change.caller.name,
        now=change.now,
    )


def made(
    db: Session,
    *,
    name: str,
    binding: Binding | None,
    by: str,
    now: datetime,
    owner: UUID | None = None,
    session: UUID | None = None,
    description: str = "",
    expires_at: datetime | None = None,
) -> ApiTokenCreated:
    """A new token with its value, which is in nothing but the answer. Without a binding it may what its owner may. It ends with
    the session that it is given by."""
    value = _new_value()
    scope = Target() if binding is None else binding.scope
    row = ApiToken(
        name=name,
        description=description,
        role=rules.AS_OWNER if binding is None else binding.role.value,
        workspace_id=scope.workspace,
        deployment_id=scope.deployment,
        owner_id=owner,
        session_id=session,
        prefix=value[: rules.SHOWN],
        created_at=now,
        created_by=by,
        expires_at=expires_at,
        revision=1,
    )
    db.add(row)
    db.flush()
    db.add(ApiTokenValue(token_id=row.id, hash=hashed(value)))
    return ApiTokenCreated(**view(db, row).model_dump(), token=value)


def rotate(change: Change, reference: str, ask: RotateApiToken) -> ApiTokenCreated:
    """A new value; those before are good for the overlap, and not longer than they were. A token gets no value by which it could
    do more than by its own."""
    row = _for_change(change, reference)
    _require_no_more(change, row)
    change.expect(row.revision, f"the API token {row.name!r}")
    until = change.now + timedelta(minutes=ask.overlap_minutes)
    for old in change.db.scalars(select(ApiTokenValue).where(ApiTokenValue.token_id == row.id)):
        old.until = until if old.until is None else min(old.until, until)
    value = _new_value()
    change.db.add(ApiTokenValue(token_id=row.id, hash=hashed(value)))
    row.prefix, row.rotated_at = value[: rules.SHOWN], change.now
    row.revision += 1
    change.event.changes = {"value": "changed"}
    change.db.flush()
    return ApiTokenCreated(**view(change.db, row).model_dump(), token=value)


def delete(change: Change, reference: str) -> None:
    """It opens nothing from the commit on. The row stays, for the audit trail. A token ends none that may do more than it."""
    row = _for_change(change, reference)
    _require_no_more(change, row)
    change.expect(row.revision, f"the API token {row.name!r}")
    row.deleted_at = change.now
    row.revision += 1


def get(db: Session, caller: Principal, reference: str) -> ApiTokenView:
    return view(db, _found(db, caller, reference))


def listed(db: Session, caller: Principal) -> list[ApiTokenView]:
    """Those that the caller may see: its own personal ones, and all of scopes where it may read tokens."""
    rows = db.scalars(select(ApiToken).where(ApiToken.deleted_at.is_(None)).order_by(ApiToken.name))
    return [view(db, row) for row in rows if _visible(caller, row)]


def authenticate(store: Store, token: str, *, now: datetime) -> tuple[UUID, Principal]:
    """The organization and the principal of a token. Raises Refused with a code of its own for each cause."""
    if not ids.has_form_of(token, rules.PREFIX):
        raise Refused(
            Code.TOKEN_MALFORMED,
            "this is not an API token of the platform",
            remedy=f"One begins with {rules.PREFIX} and has {rules.SHOWN + 39} characters.",
        )
    with store.reading_all() as db:
        value = db.scalar(select(ApiTokenValue).where(ApiTokenValue.hash == hashed(token)))
        if value is None:
            raise Refused(
                Code.TOKEN_UNKNOWN, "the platform does not know this API token", remedy="Create one."
            )
        row = db.get_one(ApiToken, value.token_id)
        if session_is_over(db, row):
            raise Refused(
                Code.TOKEN_DELETED,
                f"the API token {row.name!r} has ended with the session that gave it",
                remedy="Sign in again: `tradewind login`.",
            )
        state = rules.validity(rules.Value(row.deleted_at is not None, row.expires_at, value.until), now)
        if state is not Validity.GOOD:
            code, why, remedy = _REFUSED[state]
            raise Refused(code, f"the API token {row.name!r} {why}", remedy=remedy)
        limits = None if row.owner_id is None else people.bindings_of_user(db, row.owner_id)
        own = people.bindings_of_token(roles_of(db, [row.role]), row, limits)
        principal = Principal("token", row.id, f"token:{row.name}", own, limits, row.owner_id)
        due = row.last_used_at is None or now - row.last_used_at >= _LAST_USED_EVERY
    if due:
        with store.transaction(row.organization_id) as db:
            db.get_one(ApiToken, row.id).last_used_at = now
    return row.organization_id, principal


def note_uses(db: Session, uses: Mapping[UUID, datetime], *, now: datetime) -> None:
    """When tokens were last used at a Deployment. An unknown token is passed over, and no use is later than now."""
    for row in db.scalars(select(ApiToken).where(ApiToken.id.in_(uses))):
        at = min(uses[row.id], now)
        if row.last_used_at is None or row.last_used_at < at:
            row.last_used_at = at


def view(db: Session, row: ApiToken) -> ApiTokenView:
    values = db.scalars(select(ApiTokenValue.until).where(ApiTokenValue.token_id == row.id))
    owner = None if row.owner_id is None else db.get_one(User, row.owner_id)
    return ApiTokenView(
        id=row.id,
        name=row.name,
        role=row.role,
        workspace=row.workspace_id,
        deployment=row.deployment_id,
        owner="" if owner is None else owner.name,
        description=row.description,
        prefix=row.prefix,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        rotated_at=row.rotated_at,
        last_used_at=row.last_used_at,
        old_values_until=max((one for one in values if one is not None), default=None),
        revision=row.revision,
    )


def _owner(change: Change, ask: NewApiToken, binding: Binding) -> UUID | None:
    if not ask.personal:
        return None
    if change.caller.user is None:
        raise Refused(
            Code.CONFLICT,
            "a personal token is a user's, and the caller is an API token that is not personal",
            remedy="Ask with a personal token, or leave `personal` out.",
        )
    if not change.caller.has_all_of(binding.role, binding.scope):
        raise Refused(Code.NOT_PERMITTED, f"{change.caller.name} has not all of the role {ask.role} there")
    return change.caller.user


def _for_change(change: Change, reference: str) -> ApiToken:
    change.event.target = f"api-token:{reference}"
    row = _found(change.db, change.caller, reference)
    change.event.target = f"api-token:{row.name}"
    change.event.workspace, change.event.deployment = row.workspace_id, row.deployment_id
    if row.owner_id is None or row.owner_id != change.caller.user:
        change.require(Permission.API_TOKENS_UPDATE, Target(row.workspace_id, row.deployment_id))
        of_owner = None if row.owner_id is None else people.bindings_of_user(change.db, row.owner_id)
        own = people.bindings_of_token(roles_of(change.db, [row.role]), row, of_owner)
        if not all(change.caller.may_grant(one) for one in own):
            raise Refused(
                Code.NOT_PERMITTED,
                f"the API token {row.name!r} has a role that {change.caller.name} may not give",
            )
    return row


def _require_no_more(change: Change, row: ApiToken) -> None:
    """Raises Refused NOT_PERMITTED for a personal token that may not all that another one of its owner may."""
    caller = change.caller
    if caller.limits is None or row.id == caller.id:
        return
    given = people.bindings_of_token(roles_of(change.db, [row.role]), row, caller.limits)
    if not all(caller.has_all_of(one.role, one.scope) for one in given):
        raise Refused(
            Code.NOT_PERMITTED,
            f"the API token {row.name!r} may do more than {caller.name}, which asks",
            remedy="Sign in, and rotate or delete it as yourself.",
        )


def _found(db: Session, caller: Principal, reference: str) -> ApiToken:
    id = uuid_of(reference)
    statement = select(ApiToken).where(ApiToken.deleted_at.is_(None))
    statement = statement.where(ApiToken.id == id if id is not None else ApiToken.name == reference)
    if db.info.get("writes"):
        statement = statement.with_for_update()
    rows = [row for row in db.scalars(statement) if _visible(caller, row)]
    if not rows:
        raise Refused(Code.NOT_FOUND, f"there is no API token {reference!r}")
    if len(rows) > 1:
        ids = ", ".join(str(row.id) for row in rows)
        raise Refused(
            Code.CONFLICT,
            f"{len(rows)} API tokens are named {reference!r}",
            remedy=f"Give the id of the one you mean: {ids}",
        )
    return rows[0]


def _visible(caller: Principal, row: ApiToken) -> bool:
    mine = row.id == caller.id or (row.owner_id is not None and row.owner_id == caller.user)
    return mine or caller.may(Permission.API_TOKENS_GET, Target(row.workspace_id, row.deployment_id))


def session_is_over(db: Session, row: ApiToken) -> bool:
    """Whether the session that gave the token was ended. One that is only idle leaves it be."""
    session = None if row.session_id is None else db.get(SignInSession, row.session_id)
    return session is not None and session.ended_at is not None


def _new_value() -> str:
    return ids.new_secret(rules.PREFIX)
