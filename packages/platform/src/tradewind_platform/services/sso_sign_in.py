"""A sign-in at the identity provider, from the browser's leaving to its coming back.

The state is good once, for ten minutes, and only in the browser that has the attempt's cookie. So two tabs do not
disturb each other, and an address that another person made signs no one in.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.roles import Principal
from tradewind_platform.domain.sign_in_refusals import RefusalReason, SignInFailed
from tradewind_platform.domain.sign_in_sessions import EndReason, Method
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.identity_providers import IdentityProviders
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.security.openid_connect import (
    Client,
    ProviderRefused,
    ProviderUnreachable,
    TokenNotValid,
    Tokens,
    new_secret,
)
from tradewind_platform.security.token_hashes import hashed
from tradewind_platform.services import identities, session_refreshes, sign_in_sessions, sso_settings
from tradewind_platform.services.change import Event, Origin, record
from tradewind_platform.store.people_tables import SignInSession
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.sso_tables import SignInAttempt, SsoConnection
from tradewind_platform.store.tables import User
from tradewind_protocol.people import SignInSettings, SignInTest

LIFETIME: Final = timedelta(minutes=10)
_KEPT: Final = timedelta(days=1)
_SHOWN_CLAIMS: Final = 100


@dataclass(frozen=True)
class Leaving:
    """Where the browser goes, and the cookie that it keeps until it is back."""

    url: str = field(repr=False)
    cookie: str
    cookie_value: str = field(repr=False)


@dataclass(frozen=True)
class Returned:
    """A browser that is back: with a session, or after a test."""

    return_to: str
    session: SignInSession | None = None
    value: str = field(default="", repr=False)


@dataclass(frozen=True)
class SignInFlow:
    """What sign-in at the identity provider needs of the platform."""

    store: Store
    ring: KeyRing
    providers: IdentityProviders
    origin: str

    def leave(
        self,
        organization: UUID,
        *,
        return_to: str,
        now: datetime,
        max_age: int | None = None,
        tester: str | None = None,
    ) -> Leaving:
        """Begin an attempt; with a `tester`, one that tests the draft. Raises SignInFailed."""
        with self.store.reading(organization) as db:
            row = sso_settings.of(db, sso_settings.ACTIVE if tester is None else sso_settings.DRAFT)
            if row is None:
                raise SignInFailed(RefusalReason.NOT_SET_UP)
            client, settings = (
                sso_settings.client_of(self.ring, row, self.origin),
                sso_settings.settings_of(row),
            )
        state, nonce, verifier, cookie = new_secret(), new_secret(), new_secret(), new_secret()
        try:
            url = self.providers.of(client.issuer).authorization_url(
                client,
                state=state,
                nonce=nonce,
                verifier=verifier,
                acr_values=settings.acr_values,
                max_age=max_age,
            )
        except (ProviderUnreachable, TokenNotValid) as error:
            raise SignInFailed(RefusalReason.PROVIDER_UNREACHABLE, str(error)) from None
        id = new_id()
        with self.store.transaction(organization) as db:
            sso_settings.forget_old_attempts(db, now - _KEPT)
            db.add(
                SignInAttempt(
                    id=id,
                    state_hash=hashed(state),
                    cookie_hash=hashed(cookie),
                    connection_id=row.id,
                    nonce=nonce,
                    verifier=self.ring.encrypt(verifier, row=row_of(SignInAttempt, id, "verifier")),
                    return_to=return_to,
                    max_age=max_age,
                    tester=tester,
                    created_at=now,
                )
            )
        return Leaving(url, cookie_of(state), cookie)

    def come_back(
        self,
        organization: UUID,
        *,
        code: str,
        state: str,
        issuer: str | None,
        cookie_value: str | None,
        origin: Origin,
        session_before: str | None,
        now: datetime,
    ) -> Returned:
        """Finish an attempt: a session of the person, or what a test showed. Raises SignInFailed."""
        attempt, row = self._used(organization, state, cookie_value, now)
        client = self._client(row)
        tokens = self._tokens(client, attempt, code=code, issuer=issuer)
        if attempt.tester is not None:
            self._keep_test(organization, row, tokens, now)
            return Returned(attempt.return_to)
        settings = sso_settings.settings_of(row)
        pushed = self._pushed(organization, client.issuer, tokens, settings)
        admission = identities.admitted(tokens.claims, settings, pushed)
        with self.store.transaction(organization) as db:
            user, changes = identities.taken_in(db, client.issuer, tokens.claims, admission, now=now)
            session, value = _begin_session(db, user, tokens, origin, session_before, now)
            if tokens.refresh_token is not None:
                due = now + timedelta(minutes=settings.refresh_minutes)
                session_refreshes.keep(db, self.ring, session.id, tokens.refresh_token, due_at=due)
            event = Event(f"user:{user.name}", changes={"method": Method.IDENTITY_PROVIDER.value, **changes})
            caller = Principal("user", user.id, user.name, ())
            record(
                db, action="session.begin", caller=caller, origin=origin, event=event, result="done", now=now
            )
        return Returned(attempt.return_to, session, value)

    def _used(
        self, organization: UUID, state: str, cookie_value: str | None, now: datetime
    ) -> tuple[SignInAttempt, SsoConnection]:
        with self.store.transaction(organization) as db:
            found = db.scalar(
                select(SignInAttempt).where(SignInAttempt.state_hash == hashed(state)).with_for_update()
            )
            if found is None or cookie_value is None:
                raise SignInFailed(RefusalReason.STATE_UNKNOWN)
            if not hmac.compare_digest(found.cookie_hash, hashed(cookie_value)):
                raise SignInFailed(RefusalReason.STATE_UNKNOWN, "the cookie is that of another attempt")
            if found.used_at is not None or found.created_at + LIFETIME <= now:
                raise SignInFailed(RefusalReason.STATE_EXPIRED)
            found.used_at = now
            return found, db.get_one(SsoConnection, found.connection_id)

    def _tokens(self, client: Client, attempt: SignInAttempt, *, code: str, issuer: str | None) -> Tokens:
        provider = self.providers.of(client.issuer)
        verifier = self.ring.decrypt(attempt.verifier, row=row_of(SignInAttempt, attempt.id, "verifier"))
        try:
            if issuer is None and provider.metadata().names_issuer_in_answers:
                raise TokenNotValid("the answer names no issuer, and this provider always does")
            if issuer is not None and issuer != client.issuer:
                raise TokenNotValid("the answer is of another issuer")
            return provider.exchange(
                client, code, verifier=verifier, nonce=attempt.nonce, max_age=attempt.max_age
            )
        except ProviderUnreachable as error:
            raise SignInFailed(RefusalReason.PROVIDER_UNREACHABLE, str(error)) from None
        except ProviderRefused as error:
            raise SignInFailed(RefusalReason.PROVIDER_REFUSED, str(error)) from None
        except TokenNotValid as error:
            raise SignInFailed(RefusalReason.TOKEN_NOT_VALID, str(error)) from None

    def _client(self, row: SsoConnection) -> Client:
        return sso_settings.client_of(self.ring, row, self.origin)

    def _pushed(
        self, organization: UUID, issuer: str, tokens: Tokens, settings: SignInSettings
    ) -> tuple[str, ...]:
        with self.store.reading(organization) as db:
            return identities.pushed_groups(db, issuer, tokens.claims, settings)

    def _keep_test(self, organization: UUID, row: SsoConnection, tokens: Tokens, now: datetime) -> None:
        claims = dict(list(tokens.claims.items())[:_SHOWN_CLAIMS])
        shown: dict[str, Any] = {"at": now, "claims": claims}
        try:
            settings = sso_settings.settings_of(row)
            pushed = self._pushed(organization, row.issuer, tokens, settings)
            admission = identities.admitted(tokens.claims, settings, pushed)
            test = SignInTest(**shown, groups=admission.groups, teams=tuple(sorted(admission.teams)))
        except SignInFailed as error:
            test = SignInTest(**shown, refused=f"{error.reason.value}: {error.detail}")
        with self.store.transaction(organization) as db:
            draft = db.get_one(SsoConnection, row.id)
            if draft.revision == row.revision:  # what was tested is what is there
                sso_settings.record_test(draft, test)


def _begin_session(
    db: Session, user: User, tokens: Tokens, origin: Origin, session_before: str | None, now: datetime
) -> tuple[SignInSession, str]:
    """A new session, and its value, in the place of the one that the browser had."""
    if session_before is not None:
        sign_in_sessions.end_where(
            db,
            SignInSession.hash == hashed(session_before),
            reason=EndReason.SIGNED_IN_AGAIN,
            now=now,
        )
    session, value = sign_in_sessions.begin(
        db,
        user.id,
        method=Method.IDENTITY_PROVIDER,
        origin=origin,
        now=now,
        authenticated_at=_authenticated_at(tokens, now),
        idp_subject=str(tokens.claims["sub"])[:250],
        idp_sid=_sid(tokens),
    )
    if session_before is not None:
        sign_in_sessions.keep_terminals(db, session_before, session)
    return session, value


def cookie_of(state: str) -> str:
    """The name of an attempt's cookie: each attempt has one of its own."""
    return f"tw_attempt_{hashed(state)[:12]}"


def _sid(tokens: Tokens) -> str | None:
    sid = tokens.claims.get("sid")
    return sid[:250] if isinstance(sid, str) else None


def _authenticated_at(tokens: Tokens, now: datetime) -> datetime:
    """When the person proved who they are; when a provider does not say, it is taken to be now."""
    moment = tokens.claims.get("auth_time")
    if not isinstance(moment, int | float):
        return now
    return min(now, datetime.fromtimestamp(moment, timezone.utc))
