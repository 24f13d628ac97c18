"""How an organization's people sign in at its identity provider: a draft, a test sign-in, and then the settings in use."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.authentication_demands import Demands
from tradewind_platform.domain.group_sync import GroupRules
from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal
from tradewind_platform.domain.sign_in_sessions import EndReason, Method
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.security.openid_connect import Client, is_allowed_address
from tradewind_platform.services import sign_in_sessions
from tradewind_platform.services.change import Change, require
from tradewind_platform.store.people_tables import SignInSession
from tradewind_platform.store.sso_tables import SignInAttempt, SsoConnection
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.people import SignInSettings, SignInSettingsView, SignInTest, SignInView

ACTIVE: Final = "active"
DRAFT: Final = "draft"
CALLBACK: Final = "/sign-in/callback"
BACK_CHANNEL: Final = "/sign-in/back-channel-logout"
START: Final = "/sign-in/with-identity-provider"
_OWN_COLUMNS: Final = {"issuer", "client_id", "client_secret"}


def put_draft(change: Change, ask: SignInSettings) -> None:
    """Keep settings for a test sign-in. Those in use stay in use until the tested draft is activated."""
    change.event.target = "organization:sign-in"
    change.require(Permission.ORGANIZATION_UPDATE, ORGANIZATION)
    if not is_allowed_address(ask.issuer):
        raise Refused(
            Code.MALFORMED,
            f"the issuer {ask.issuer!r} is not reached with TLS",
            remedy="Use its https address. Only one on this machine may do without.",
        )
    try:
        re.compile(ask.groups_filter)
    except re.error as error:
        raise Refused(Code.MALFORMED, f"groups_filter is not a regular expression: {error}") from None
    row, used = of(change.db, DRAFT), of(change.db, ACTIVE)
    change.expect(0 if row is None else row.revision, "the draft")
    secret = _secret(change, ask, row, used)
    if row is None:
        row = SsoConnection(id=new_id(), state=DRAFT, revision=0, client_secret="")
        change.db.add(row)
    before = _settings(row) if row.revision else {}
    row.issuer, row.client_id = ask.issuer, ask.client_id
    row.client_secret = change.ring.encrypt(secret, row=_place(row.id))
    row.settings = ask.model_dump(mode="json", exclude=_OWN_COLUMNS)
    row.updated_at, row.updated_by = change.now, change.caller.name
    row.tested_at, row.test = None, {}
    row.revision += 1
    after = _settings(row)
    change.event.changes = {
        key: [before.get(key), one] for key, one in after.items() if before.get(key) != one
    }
    if ask.client_secret is not None:
        change.event.changes["client_secret"] = "changed"
    change.db.flush()


def activate(change: Change) -> None:
    """Use the draft. Raises Refused CONFLICT unless a test sign-in with exactly these settings has come in."""
    change.event.target = "organization:sign-in"
    change.require(Permission.ORGANIZATION_UPDATE, ORGANIZATION)
    row = of(change.db, DRAFT)
    if row is None:
        raise Refused(Code.CONFLICT, "there is no draft of the sign-in's settings", remedy="Put one first.")
    change.expect(row.revision, "the draft")
    test = row.test.get("refused", "")
    if row.tested_at is None or test:
        why = (
            f"its test sign-in was refused: {test}"
            if test
            else "no sign-in has tested it since it was changed"
        )
        raise Refused(
            Code.CONFLICT,
            f"the draft of the sign-in's settings is not used: {why}",
            remedy="Open its test_url in your browser, and sign in at the identity provider.",
        )
    used = of(change.db, ACTIVE)
    if used is None:
        used = SsoConnection(id=new_id(), state=ACTIVE, issuer="", revision=0)
        change.db.add(used)
    elif used.issuer != row.issuer:
        _end_sessions(change)
    change.event.changes = {"issuer": [used.issuer or None, row.issuer]}
    secret = change.ring.decrypt(row.client_secret, row=_place(row.id))
    used.client_secret = change.ring.encrypt(secret, row=_place(used.id))
    used.issuer, used.client_id, used.settings = row.issuer, row.client_id, row.settings
    used.tested_at, used.test = row.tested_at, row.test
    used.updated_at, used.updated_by = change.now, change.caller.name
    used.revision += 1
    _delete(change.db, row)


def turn_off(change: Change) -> None:
    """No more sign-in at the identity provider, and no draft. Sessions that were begun there end."""
    change.event.target = "organization:sign-in"
    change.require(Permission.ORGANIZATION_UPDATE, ORGANIZATION)
    for row in change.db.scalars(select(SsoConnection)):
        change.event.changes[row.state] = [row.issuer, None]
        _delete(change.db, row)
    _end_sessions(change)


def get(db: Session, caller: Principal, origin: str) -> SignInView:
    """What is in use and what waits for a test. Secrets are left out."""
    require(caller, Permission.ORGANIZATION_GET, ORGANIZATION)
    return view(db, origin)


def view(db: Session, origin: str) -> SignInView:
    used, draft = of(db, ACTIVE), of(db, DRAFT)
    return SignInView(
        active=None if used is None else _view(used),
        draft=None if draft is None else _view(draft),
        redirect_uri=origin + CALLBACK,
        back_channel_logout_uri=origin + BACK_CHANNEL,
        post_logout_redirect_uri=origin + "/",
        test_url=None if draft is None else f"{origin}{START}?test=true",
    )


def record_test(row: SsoConnection, test: SignInTest) -> None:
    row.tested_at = test.at
    row.test = test.model_dump(mode="json")


def of(db: Session, state: str) -> SsoConnection | None:
    return db.scalar(select(SsoConnection).where(SsoConnection.state == state))


def client_of(ring: KeyRing, row: SsoConnection, origin: str) -> Client:
    """The platform as a client of the connection's identity provider."""
    secret = ring.decrypt(row.client_secret, row=_place(row.id))
    return Client(row.issuer, row.client_id, secret, origin + CALLBACK, settings_of(row).scopes)


def settings_of(row: SsoConnection) -> SignInSettings:
    return SignInSettings(issuer=row.issuer, client_id=row.client_id, **row.settings)


def rules_of(settings: SignInSettings) -> GroupRules:
    return GroupRules(
        claim=settings.groups_claim,
        filter=settings.groups_filter,
        mapping={one.group: one.teams for one in settings.group_teams},
        create_missing=settings.create_teams,
        allowed=settings.allowed_groups,
    )


def demands_of(settings: SignInSettings) -> Demands:
    return Demands(settings.required_acr, settings.required_amr)


def sign_in_again_within(db: Session) -> timedelta | None:
    """How recent a sign-in must be for a sensitive change. None: it may be of any age."""
    row = of(db, ACTIVE)
    minutes = None if row is None else settings_of(row).sign_in_again_minutes
    return None if minutes is None else timedelta(minutes=minutes)


def _view(row: SsoConnection) -> SignInSettingsView:
    settings = settings_of(row).model_dump(exclude={"client_secret"})
    test = SignInTest.model_validate(row.test) if row.test else None
    return SignInSettingsView(
        **settings,
        has_client_secret=True,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        test=test,
        revision=row.revision,
    )


def _secret(change: Change, ask: SignInSettings, *kept: SsoConnection | None) -> str:
    if ask.client_secret is not None:
        return ask.client_secret
    for row in kept:
        # A secret goes only to the provider that it was given for.
        if row is not None and (row.issuer, row.client_id) == (ask.issuer, ask.client_id):
            return change.ring.decrypt(row.client_secret, row=_place(row.id))
    raise Refused(
        Code.MALFORMED,
        "there is no client secret, and none is kept for this issuer and client",
        remedy="Send `client_secret`.",
    )


def _settings(row: SsoConnection) -> dict[str, Any]:
    return {"issuer": row.issuer, "client_id": row.client_id, **row.settings}


def _end_sessions(change: Change) -> None:
    sign_in_sessions.end_where(
        change.db,
        SignInSession.method == Method.IDENTITY_PROVIDER.value,
        reason=EndReason.ENDED_BY_ADMINISTRATOR,
        now=change.now,
    )


def _delete(db: Session, row: SsoConnection) -> None:
    db.execute(delete(SignInAttempt).where(SignInAttempt.connection_id == row.id))
    db.flush()
    db.delete(row)
    db.flush()


def _place(id: UUID) -> str:
    return row_of(SsoConnection, id, "client_secret")


def forget_old_attempts(db: Session, before: datetime) -> None:
    db.execute(delete(SignInAttempt).where(SignInAttempt.created_at < before))
