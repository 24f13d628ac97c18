"""Who a person is at the identity provider, and the user, teams and invited roles that come of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import authentication_demands as demands
from tradewind_platform.domain import group_sync
from tradewind_platform.domain.group_sync import GroupsUnavailable
from tradewind_platform.domain.sign_in_refusals import RefusalReason, SignInFailed
from tradewind_platform.services import invites, sso_settings, teams
from tradewind_platform.store.tables import User
from tradewind_platform.store.team_tables import Identity
from tradewind_protocol.people import SignInSettings


@dataclass(frozen=True)
class Admission:
    """What the claims of a person give: the groups, and the teams by name (True: the mapping names it)."""

    groups: tuple[str, ...]
    teams: Mapping[str, bool]
    create: bool
    """Whether teams that are missing are made."""


def admitted(claims: Mapping[str, Any], settings: SignInSettings) -> Admission:
    """Whether a person with these claims may come in. Raises SignInFailed."""
    rules = sso_settings.rules_of(settings)
    try:
        groups = group_sync.groups_in(claims, rules)
    except GroupsUnavailable as error:
        raise SignInFailed(RefusalReason.GROUPS_UNAVAILABLE, str(error)) from None
    if not group_sync.may_come_in(groups, rules):
        raise SignInFailed(
            RefusalReason.NOT_IN_ALLOWED_GROUP, f"in {len(groups)} groups, and in none of the allowed ones"
        )
    lack = demands.unmet(claims, sso_settings.demands_of(settings))
    if lack is not None:
        raise SignInFailed(RefusalReason.DEMANDS_UNMET, lack)
    return Admission(groups, group_sync.teams_of(groups, rules), rules.create_missing)


def taken_in(
    db: Session, issuer: str, claims: Mapping[str, Any], admission: Admission, *, now: datetime
) -> tuple[User, dict[str, Any]]:
    """The user of an identity, made at the first sign-in, with teams as the groups say. Returns what changed, too.

    Raises SignInFailed for a user who is disabled.
    """
    subject = str(claims["sub"])
    row = db.scalar(
        select(Identity).where(Identity.issuer == issuer, Identity.subject == subject).with_for_update()
    )
    if row is None:
        user = User(name=_free_name(db, claims), created_at=now)
        db.add(user)
        db.flush()
        row = Identity(issuer=issuer, subject=subject, user_id=user.id, created_at=now, signed_in_at=now)
        db.add(row)
    user = db.get_one(User, row.user_id)
    if user.disabled_at is not None:
        raise SignInFailed(RefusalReason.USER_DISABLED, user.name)
    row.signed_in_at = now
    row.email = _text(claims, "email") if claims.get("email_verified") is True else ""
    row.full_name = _text(claims, "name")
    row.groups = list(admission.groups)
    changes: dict[str, Any] = teams.take_over(db, user.id, admission.teams, create=admission.create, now=now)
    accepted = invites.accept(db, row.email, user.id, now=now) if row.email else []
    if accepted:
        changes["invites"] = accepted
    return user, changes


def follow(
    db: Session, issuer: str, user: UUID, admission: Admission, *, now: datetime
) -> dict[str, list[str]]:
    """Bring a user's teams to what the groups say now. Returns what changed."""
    row = db.scalar(select(Identity).where(Identity.issuer == issuer, Identity.user_id == user))
    if row is not None:
        row.groups = list(admission.groups)
    return teams.take_over(db, user, admission.teams, create=admission.create, now=now)


def _free_name(db: Session, claims: Mapping[str, Any]) -> str:
    """A name that no user has. Equal names are no sign of one person: an identity is the issuer and the subject."""
    candidates = (
        _text(claims, "preferred_username"),
        _text(claims, "email").partition("@")[0],
        _text(claims, "sub"),
        "user",
    )
    base = next(name for one in candidates if (name := group_sync.name_from(one)))[:44].strip("-")
    taken = set(db.scalars(select(User.name).where(User.name.startswith(base, autoescape=True))))
    numbered = (f"{base}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([base], numbered) if name not in taken)


def _text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    return found[:250] if isinstance(found, str) else ""
