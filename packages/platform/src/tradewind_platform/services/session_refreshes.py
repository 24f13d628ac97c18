"""Asks the identity provider whether people whose sessions live may still come in, and which groups they have."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.sign_in_refusals import SignInFailed
from tradewind_platform.domain.sign_in_sessions import EndReason, SessionState
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.identity_providers import IdentityProviders
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.security.openid_connect import (
    Client,
    ProviderRefused,
    ProviderUnreachable,
    TokenNotValid,
    Tokens,
)
from tradewind_platform.services import identities, people, sign_in_sessions, sso_settings
from tradewind_platform.services.change import Event, Origin, record
from tradewind_platform.store.looks import Look
from tradewind_platform.store.people_tables import SignInSession
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.sso_tables import SessionRefresh, SsoConnection
from tradewind_platform.store.tables import User
from tradewind_protocol.people import SignInSettings

log = logging.getLogger(__name__)

_LEASE: Final = timedelta(minutes=1)
"""A process that asks has so long; then another one may. Longer than a request to the provider can take."""
_AT_ONCE: Final = 100
_ANY: Final = select(SessionRefresh.id).limit(1)


def keep(db: Session, ring: KeyRing, session: UUID, token: str, *, due_at: datetime) -> None:
    """Keep the refresh token of a new session, encrypted."""
    id = new_id()
    stored = ring.encrypt(token, row=row_of(SessionRefresh, id, "token"))
    db.add(SessionRefresh(id=id, session_id=session, token=stored, due_at=due_at))


@dataclass
class _Due:
    id: UUID
    organization: UUID
    session: UUID
    user: UUID
    subject: str | None
    token: str = field(repr=False)
    client: Client
    settings: SignInSettings


class Refresher:
    """Refreshes what is due. Several processes may have one on the same database: each row is asked for by one."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        providers: IdentityProviders,
        *,
        origin: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._ring = ring
        self._providers = providers
        self._origin = origin
        self._clock = clock
        self._stopped = threading.Event()
        self._any = Look(store.engine, _ANY)

    def run(self, every: float = 10) -> None:
        """Look every ten seconds until `stop`."""
        while not self._stopped.wait(every):
            try:
                self.refresh_due()
            except Exception:  # the next look may succeed: a database that was away, a key that is put back
                log.exception("Sessions could not be refreshed", extra={"action": "session_refresh_failed"})

    def stop(self) -> None:
        self._stopped.set()

    def refresh_due(self) -> int:
        """Ask about each session that is due. Returns how many."""
        due = self._claimed()
        for one in due:
            self._refresh(one)
        return len(due)

    def _claimed(self) -> list[_Due]:
        now, found = self._clock(), []
        if not self._any.rows():
            return []
        with self._store.reading_all() as db:
            any_due = db.scalar(select(SessionRefresh.id).where(SessionRefresh.due_at <= now).limit(1))
        if any_due is None:
            return []
        with self._store.across_organizations() as db:
            rows = db.execute(
                select(SessionRefresh, SignInSession)
                .join(SignInSession, SignInSession.id == SessionRefresh.session_id)
                .where(SessionRefresh.due_at <= now)
                .order_by(SessionRefresh.due_at)
                .limit(_AT_ONCE)
                .with_for_update(skip_locked=True, of=SessionRefresh)
            ).all()
            for row, session in rows:
                used = db.scalar(
                    select(SsoConnection).where(
                        SsoConnection.organization_id == row.organization_id,
                        SsoConnection.state == sso_settings.ACTIVE,
                    )
                )
                if used is None or sign_in_sessions.state_of(session, now) is not SessionState.LIVE:
                    db.delete(row)
                    continue
                row.due_at = now + _LEASE
                found.append(
                    _Due(
                        row.id,
                        row.organization_id,
                        session.id,
                        session.user_id,
                        session.idp_subject,
                        self._ring.decrypt(row.token, row=row_of(SessionRefresh, row.id, "token")),
                        sso_settings.client_of(self._ring, used, self._origin),
                        sso_settings.settings_of(used),
                    )
                )
        return found

    def _refresh(self, due: _Due) -> None:
        try:
            tokens = self._providers.of(due.client.issuer).refresh(due.client, due.token)
            if tokens is not None and tokens.claims.get("sub") != due.subject:
                raise TokenNotValid("the identity provider answered for another person")
            admission = None if tokens is None else self._admitted(due, tokens)
        except ProviderUnreachable as error:
            # The session goes on: a provider that is down must not sign everybody out. It is asked again in a minute.
            log.warning("%s", error, extra={"action": "session_refresh_unanswered"})
            return
        except (ProviderRefused, TokenNotValid, SignInFailed) as error:
            self._end(due, str(error))
            return
        self._keep(due, tokens, admission)

    def _admitted(self, due: _Due, tokens: Tokens) -> identities.Admission:
        with self._store.reading(due.organization) as db:
            pushed = identities.pushed_groups(db, due.client.issuer, tokens.claims, due.settings)
        return identities.admitted(tokens.claims, due.settings, pushed)

    def _keep(self, due: _Due, tokens: Tokens | None, admission: identities.Admission | None) -> None:
        now = self._clock()
        with self._store.transaction(due.organization) as db:
            row = db.get(SessionRefresh, due.id)
            if row is not None:
                row.due_at = now + timedelta(minutes=due.settings.refresh_minutes)
                if tokens is not None and tokens.refresh_token is not None:
                    place = row_of(SessionRefresh, row.id, "token")
                    row.token = self._ring.encrypt(tokens.refresh_token, row=place)
            if admission is None:
                return
            changes = identities.follow(db, due.client.issuer, due.user, admission, now=now)
            if changes:
                event = Event(f"user:{db.get_one(User, due.user).name}", changes=dict(changes))
                self._record(db, "user.groups", event, now)

    def _end(self, due: _Due, why: str) -> None:
        now = self._clock()
        with self._store.transaction(due.organization) as db:
            db.execute(delete(SessionRefresh).where(SessionRefresh.id == due.id))
            session = db.get_one(SignInSession, due.session)
            sign_in_sessions.end(session, EndReason.REFUSED_BY_IDENTITY_PROVIDER, now=now)
            name = db.get_one(User, due.user).name
            self._record(db, "session.end", Event(f"user:{name}", changes={"why": why[:250]}), now)

    def _record(self, db: Session, action: str, event: Event, now: datetime) -> None:
        record(db, action=action, caller=people.SYSTEM, origin=Origin(), event=event, result="done", now=now)
