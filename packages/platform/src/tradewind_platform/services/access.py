"""Who has which role in the Airflow of each Deployment: what the Deployments replicate."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.clock import Clock
from tradewind_platform.domain.deployment_access import DeploymentAccess
from tradewind_platform.domain.roles import Permission, Principal, Target
from tradewind_platform.services import people
from tradewind_platform.services.role_lookup import roles_of
from tradewind_platform.store.access_tables import AccessRevision
from tradewind_platform.store.people_tables import SignInSession
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import ApiToken, ApiTokenValue, Deployment
from tradewind_protocol.access import AccessDocument, AccessToken, AccessUser

_CONTACTS: Final = 5
"""So many people are named whom one may ask for a role."""


_REVISIONS: Final = select(AccessRevision.id, AccessRevision.revision)


def revisions(store: Store) -> dict[UUID, int]:
    """The access revision of each organization that has had a change."""
    with store.looking() as db:
        return {row.id: row.revision for row in db.execute(_REVISIONS)}


@dataclass(frozen=True)
class _Value:
    id: UUID
    hash: str
    expires_at: datetime | None


@dataclass(frozen=True)
class _Snapshot:
    """All people and tokens of an organization at a revision."""

    revision: int
    users: tuple[Principal, ...]
    tokens: tuple[tuple[Principal, tuple[_Value, ...]], ...]
    ended_sessions: tuple[UUID, ...]
    targets: dict[UUID, Target]
    """Of the Deployments, by their ids."""
    at: dict[Target, list[Principal]] = field(default_factory=lambda: defaultdict(list))
    """Users by what a role of theirs is bound to."""

    def users_at(self, target: Target) -> list[Principal]:
        """Those who may have a role there."""
        places = (Target(), Target(target.workspace), target)
        found = {one.id: one for place in places for one in self.at.get(place, ())}
        return sorted(found.values(), key=lambda one: one.name)

    def document(self, deployment: UUID) -> AccessDocument:
        target = self.targets[deployment]
        here = self.users_at(target)
        users = [(one, DeploymentAccess.of(one, target)) for one in here]
        tokens = [(one, values, DeploymentAccess.of(one, target)) for one, values in self.tokens]
        return AccessDocument(
            deployment=deployment,
            revision=self.revision,
            users=tuple(
                AccessUser(id=one.id, name=one.name, **access.on_the_wire())
                for one, access in users
                if access is not None
            ),
            tokens=tuple(
                AccessToken(
                    id=one.id,
                    value=value.id,
                    hash=value.hash,
                    name=one.name,
                    expires_at=value.expires_at,
                    **access.on_the_wire(),
                )
                for one, values, access in tokens
                if access is not None
                for value in values
            ),
            ended_sessions=self.ended_sessions,
            contacts=_contacts(here, target),
        )


class AccessDocuments:
    """Makes the documents of Deployments. People and tokens are read once for each revision, however many Deployments ask."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._snapshots: dict[UUID, _Snapshot] = {}
        self._lock = threading.Lock()

    def revision(self, organization: UUID) -> int:
        with self._store.reading(organization) as db:
            return _revision(db, organization)

    def known(self, organization: UUID, deployment: UUID, revision: int) -> AccessDocument | None:
        """The document of that revision, when it takes no look at the database."""
        snapshot = self._snapshots.get(organization)
        if snapshot is None or snapshot.revision != revision or deployment not in snapshot.targets:
            return None
        return snapshot.document(deployment)

    def of(self, organization: UUID, deployment: UUID) -> AccessDocument:
        """The document of a Deployment, of the newest revision."""
        with self._lock, self._store.reading(organization) as db:
            # The revision is read before what it counts: what is read may be newer than it says, and never older.
            revision = _revision(db, organization)
            found = self.known(organization, deployment, revision)
            if found is None:
                self._snapshots[organization] = _read(db, revision, now=self._clock())
                found = self._snapshots[organization].document(deployment)
            return found


def _revision(db: Session, organization: UUID) -> int:
    row = db.get(AccessRevision, organization)
    return 0 if row is None else row.revision


def _read(db: Session, revision: int, *, now: datetime) -> _Snapshot:
    users = people.principals(db)
    values: dict[UUID, list[ApiTokenValue]] = defaultdict(list)
    for value in db.scalars(select(ApiTokenValue)):
        values[value.token_id].append(value)
    kept_tokens = db.scalars(
        select(ApiToken).where(ApiToken.deleted_at.is_(None)).order_by(ApiToken.name)
    ).all()
    roles = roles_of(db, {one.role for one in kept_tokens})
    tokens = []
    over = set(db.scalars(select(SignInSession.id).where(SignInSession.ended_at.is_not(None))))
    for token in kept_tokens:
        if token.session_id in over:
            continue
        owner = users.get(token.owner_id) if token.owner_id is not None else None
        limits = None if token.owner_id is None else owner.bindings if owner is not None else ()
        principal = Principal(
            "token",
            token.id,
            f"token:{token.name}",
            people.bindings_of_token(roles, token, limits),
            limits,
            token.owner_id,
        )
        kept = tuple(
            _Value(value.id, value.hash, expires_at)
            for value in values[token.id]
            if (expires_at := _earlier(token.expires_at, value.until)) is None or expires_at > now
        )
        tokens.append((principal, kept))
    ended = db.scalars(
        select(SignInSession.id)
        .where(SignInSession.ended_at.is_not(None), SignInSession.ends_at > now)
        .order_by(SignInSession.id)
    ).all()
    targets = {
        row.id: Target(row.workspace_id, row.id)
        for row in db.execute(select(Deployment.id, Deployment.workspace_id))
    }
    snapshot = _Snapshot(revision, tuple(users.values()), tuple(tokens), tuple(ended), targets)
    for user in snapshot.users:
        for place in {binding.scope for binding in user.bindings}:
            snapshot.at[place].append(user)
    return snapshot


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _contacts(users: Iterable[Principal], target: Target) -> tuple[str, ...]:
    """Those who may give a role there, the nearest first."""
    able = [one for one in users if one.may(Permission.MEMBERS_UPDATE, target)]
    able.sort(key=lambda one: (-max(_nearness(one, target)), one.name))
    return tuple(one.name for one in able[:_CONTACTS])


def _nearness(principal: Principal, target: Target) -> list[int]:
    return [
        (binding.scope.deployment is not None) + (binding.scope.workspace is not None)
        for binding in principal.bindings
        if binding.scope.contains(target)
    ]
