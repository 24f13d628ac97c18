"""Who has a role: users, teams, API tokens, and people who are invited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.roles import Target
from tradewind_platform.services.people import Bound, scope_of
from tradewind_platform.services.role_lookup import BUILT_IN
from tradewind_platform.store.tables import ApiToken, RoleBinding, User
from tradewind_platform.store.team_tables import Invite, Team, TeamRoleBinding

_NAMED: Final = 10
"""So many holders are named, and the others counted."""


@dataclass(frozen=True)
class RoleHolder:
    kind: str
    name: str
    scope: Target
    role: str
    personal: bool = False
    """Whether it is a personal API token: it gives its owner nothing that the owner has not."""


def holders_of(db: Session, role: str, *, now: datetime) -> list[RoleHolder]:
    """Those who have the role, by its name: of API tokens and invites, those that have not ended."""
    return _holders(db, lambda table: table.role == role, now=now)


def on_deployment(db: Session, deployment: UUID, *, now: datetime) -> list[RoleHolder]:
    """Those who have a role that is bound to the Deployment itself: of API tokens and invites, those that have not ended."""
    return _holders(db, lambda table: table.deployment_id == deployment, now=now)


def _holders(
    db: Session, wanted: Callable[[type[Bound]], ColumnElement[bool]], *, now: datetime
) -> list[RoleHolder]:
    tokens = select(ApiToken).where(wanted(ApiToken), ApiToken.deleted_at.is_(None))
    invites = select(Invite).where(
        wanted(Invite),
        Invite.accepted_at.is_(None),
        Invite.withdrawn_at.is_(None),
        Invite.expires_at > now,
    )
    of_users = select(RoleBinding, User.name).join(User, User.id == RoleBinding.user_id)
    of_teams = select(TeamRoleBinding, Team.name).join(Team, Team.id == TeamRoleBinding.team_id)
    found = [
        RoleHolder("user", name, scope_of(row), row.role)
        for row, name in db.execute(of_users.where(wanted(RoleBinding)))
    ]
    found += [
        RoleHolder("team", name, scope_of(row), row.role)
        for row, name in db.execute(of_teams.where(wanted(TeamRoleBinding)))
    ]
    found += [
        RoleHolder("API token", row.name, scope_of(row), row.role, personal=row.owner_id is not None)
        for row in db.scalars(tokens)
    ]
    found += [RoleHolder("invite", row.email, scope_of(row), row.role) for row in db.scalars(invites)]
    return sorted(found, key=lambda one: (one.kind, one.name))


def of_custom_roles(db: Session, deployment: UUID, *, now: datetime) -> list[RoleHolder]:
    """Those who have a custom role on a Deployment."""
    held: set[str] = set()
    for table in (RoleBinding, TeamRoleBinding, ApiToken):
        held |= set(db.scalars(select(table.role).where(table.deployment_id == deployment)))
    found: list[RoleHolder] = []
    for role in sorted(held - BUILT_IN.keys()):
        found += [one for one in holders_of(db, role, now=now) if one.scope.deployment == deployment]
    return found


def in_words(holders: Sequence[RoleHolder]) -> str:
    """ "user ada, team data and 3 others"."""
    names = list(dict.fromkeys(f"{one.kind} {one.name}" for one in holders))
    others = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {others} others" if others > 0 else "")
