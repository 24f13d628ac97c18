"""Who a person is at the identity provider, and the user, teams and invited roles that come of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import authentication_demands as demands
from tradewind_platform.domain import group_sync
from tradewind_platform.domain.group_sync import GroupRules, GroupsUnavailable
from tradewind_platform.domain.sign_in_refusals import RefusalReason, SignInFailed
from tradewind_platform.services import group_teams, invites, scim_matching, sso_settings, user_names
from tradewind_platform.store.lock_order import locked
from tradewind_platform.store.tables import User
from tradewind_platform.store.team_tables import Identity
from tradewind_protocol.people import SignInSettings


@dataclass(frozen=True)
class Admission:
    """What the claims of a person give: the groups, and how they become teams."""

    groups: tuple[str, ...]
    rules: GroupRules

    @property
    def teams(self) -> Mapping[str, bool]:
        """The teams by name; True: the mapping names it."""
        return group_sync.teams_of(self.groups, self.rules)


def admitted(claims: Mapping[str, Any], settings: SignInSettings, pushed: Iterable[str] = ()) -> Admission:
    """Whether a person with these claims, in these groups that SCIM has sent, may come in. Raises SignInFailed."""
    rules = sso_settings.rules_of(settings)
    try:
        groups = group_sync.groups_in(claims, rules)
    except GroupsUnavailable as error:
        raise SignInFailed(RefusalReason.GROUPS_UNAVAILABLE, str(error)) from None
    everywhere = {*groups, *pushed}
    if not group_sync.may_come_in(everywhere, rules):
        raise SignInFailed(
            RefusalReason.NOT_IN_ALLOWED_GROUP,
            f"in {len(everywhere)} groups, and in none of the allowed ones",
        )
    lack = demands.unmet(claims, sso_settings.demands_of(settings))
    if lack is not None:
        raise SignInFailed(RefusalReason.DEMANDS_UNMET, lack)
    return Admission(groups, rules)


def pushed_groups(
    db: Session, issuer: str, claims: Mapping[str, Any], settings: SignInSettings
) -> tuple[str, ...]:
    """The groups in which SCIM has put the person of these claims, whether or not they have signed in before."""
    known = select(Identity.user_id).where(Identity.issuer == issuer, Identity.subject == str(claims["sub"]))
    user = db.scalar(known)
    if user is None and (sent := scim_matching.sent_as(db, issuer, claims)) is not None:
        user = sent.user_id
    return () if user is None else group_teams.pushed(db, user, sso_settings.rules_of(settings))


def taken_in(
    db: Session, issuer: str, claims: Mapping[str, Any], admission: Admission, *, now: datetime
) -> tuple[User, dict[str, Any]]:
    """The user of an identity, with teams as the groups say. Returns what changed, too.

    At the first sign-in it is the user whom SCIM has sent, or a new one.

    Raises SignInFailed for a user who is disabled.
    """
    subject = str(claims["sub"])
    row = db.scalar(locked(select(Identity).where(Identity.issuer == issuer, Identity.subject == subject)))
    if row is None:
        sent = scim_matching.sent_as(db, issuer, claims)
        made = _new_user(db, claims, now) if sent is None else sent.user_id
        row = Identity(issuer=issuer, subject=subject, user_id=made, created_at=now, signed_in_at=now)
        db.add(row)
    user = db.get_one(User, row.user_id)
    if user.disabled_at is not None:
        raise SignInFailed(RefusalReason.USER_DISABLED, user.name)
    row.signed_in_at = now
    row.email = _text(claims, "email") if claims.get("email_verified") is True else ""
    row.full_name = _text(claims, "name")
    row.groups = list(admission.groups)
    changes: dict[str, Any] = group_teams.follow(db, user.id, admission.groups, admission.rules, now=now)
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
    return group_teams.follow(db, user, admission.groups, admission.rules, now=now)


def _new_user(db: Session, claims: Mapping[str, Any], now: datetime) -> UUID:
    candidates = (
        _text(claims, "preferred_username"),
        _text(claims, "email").partition("@")[0],
        _text(claims, "sub"),
    )
    user = User(name=user_names.free_name(db, candidates), created_at=now)
    db.add(user)
    db.flush()
    return user.id


def _text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    return found[:250] if isinstance(found, str) else ""
