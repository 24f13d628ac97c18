"""The teams that a person's groups at the identity provider stand for: one rule, whether a sign-in names the groups or
SCIM has sent them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import group_sync
from tradewind_platform.domain.group_sync import GroupRules
from tradewind_platform.services import sso_settings, teams
from tradewind_platform.store.lock_order import locked
from tradewind_platform.store.scim_tables import ScimGroup, ScimGroupMember, ScimUser
from tradewind_platform.store.tables import Organization
from tradewind_platform.store.team_tables import Identity
from tradewind_protocol.errors import Code, Refused


def pushed(db: Session, user: UUID, rules: GroupRules) -> tuple[str, ...]:
    """The names of the groups in which SCIM has put the user, without those that the filter leaves out."""
    statement = (
        select(ScimGroup.display_name)
        .join(ScimGroupMember, ScimGroupMember.group_id == ScimGroup.id)
        .where(ScimGroupMember.user_id == user)
        .order_by(ScimGroup.display_name)
    )
    return group_sync.filtered(db.scalars(statement), rules)


def follow(
    db: Session, user: UUID, claimed: Iterable[str], rules: GroupRules, *, now: datetime
) -> dict[str, list[str]]:
    """Bring a user's teams to what the groups say: `claimed` by the last sign-in, and those that SCIM has sent.

    Returns what changed. The same again changes nothing.
    """
    by_scim = group_sync.teams_of(pushed(db, user, rules), rules)
    wanted = group_sync.teams_of(claimed, rules)
    for name, mapped in by_scim.items():
        wanted[name] = wanted.get(name, False) or mapped
    return teams.take_over(db, user, wanted, pushed=by_scim, create=rules.create_missing, now=now)


def require_teams_of_their_own(db: Session, group: str | None = None) -> None:
    """Raises Refused CONFLICT when the settings in use would make one team of two groups that were pushed: of `group` and another
    one, or of any two. Two requests at once are answered one after the other."""
    db.scalar(locked(select(Organization)))
    used = sso_settings.of(db, sso_settings.ACTIVE)
    rules = GroupRules() if used is None else sso_settings.rules_of(sso_settings.settings_of(used))
    names = db.scalars(select(ScimGroup.display_name).order_by(ScimGroup.created_at, ScimGroup.id)).all()
    for team, groups in group_sync.sharing_a_team(names, rules).items():
        if group is None or group in groups:
            raise Refused(
                Code.CONFLICT,
                f"the groups {' and '.join(repr(one) for one in groups[:2])} would both be the team {team!r}",
                remedy="Give one of them another name at the identity provider, or map them to teams in the sign-in's settings.",
                scim_type="uniqueness",
            )


def follow_settings(db: Session, user: UUID, *, now: datetime) -> dict[str, list[str]]:
    """As `follow`, by the settings in use and the claims that are kept of the last sign-in."""
    used = sso_settings.of(db, sso_settings.ACTIVE)
    if used is None:
        return follow(db, user, (), GroupRules(), now=now)
    identity = db.scalar(select(Identity).where(Identity.user_id == user, Identity.issuer == used.issuer))
    claimed = () if identity is None else tuple(identity.groups)
    return follow(db, user, claimed, sso_settings.rules_of(sso_settings.settings_of(used)), now=now)


def follow_all(db: Session, *, now: datetime) -> None:
    """As `follow_settings`, for everybody whom SCIM has sent: other settings are in use."""
    for user in db.scalars(select(ScimUser.user_id)).all():
        follow_settings(db, user, now=now)
