"""Teams: made by people, or from the groups of the identity provider."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal
from tradewind_platform.services import people
from tradewind_platform.services.change import Change, require
from tradewind_platform.services.references import found_by
from tradewind_platform.store.tables import User
from tradewind_platform.store.team_tables import Team, TeamMember, TeamRoleBinding
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.people import AddMember, ChangeTeam, NewTeam, TeamMemberView, TeamView

MANUAL: Final = "manual"
IDP: Final = "idp"
SCIM: Final = "scim"
_BY_PROVIDER: Final = "identity provider"


def create(change: Change, ask: NewTeam) -> TeamView:
    change.event.target = f"team:{ask.name}"
    change.require(Permission.MEMBERS_UPDATE, ORGANIZATION)
    if change.db.scalar(select(Team.id).where(Team.name == ask.name)) is not None:
        raise Refused(Code.CONFLICT, f"there is a team {ask.name!r} already", remedy="Choose another name.")
    row = _made(change.db, ask.name, by=change.caller.name, now=change.now, idp_managed=ask.idp_managed)
    row.description = ask.description
    change.event.changes = {"name": [None, ask.name]}
    return view(change.db, row)


def update(change: Change, reference: str, ask: ChangeTeam) -> TeamView:
    row = _for_change(change, reference)
    for name in ask.model_fields_set:
        before, after = getattr(row, name), getattr(ask, name)
        if before != after:
            change.event.changes[name] = [before, after]
            setattr(row, name, after)
    if ask.idp_managed and "idp_managed" in ask.model_fields_set:
        for member in _members(change.db, row.id):
            if member.source == MANUAL:
                change.db.delete(member)
    _touched(change, row)
    return view(change.db, row)


def delete(change: Change, reference: str) -> None:
    """Its roles go with it: its members keep those that they have by other ways."""
    row = _for_change(change, reference)
    _require_grants(change, row)
    for one in (*_members(change.db, row.id), *bindings_of(change.db, row.id)):
        change.db.delete(one)
    change.db.flush()
    change.db.delete(row)


def add_member(change: Change, reference: str, ask: AddMember) -> TeamView:
    """Idempotent. The caller must be able to give the roles that the team has."""
    row = _for_change(change, reference)
    _require_manual(row)
    _require_grants(change, row)
    user = found_by(change.db, User, ask.user, User.name)
    if user is None:
        raise Refused(Code.NOT_FOUND, f"there is no user {ask.user!r}")
    change.event.changes = {"member": [None, user.name]}
    if user.id not in {one.user_id for one in _members(change.db, row.id)}:
        change.db.add(TeamMember(team_id=row.id, user_id=user.id, source=MANUAL, created_at=change.now))
        _touched(change, row)
    change.db.flush()
    return view(change.db, row)


def remove_member(change: Change, reference: str, member: str) -> TeamView:
    row = _for_change(change, reference)
    _require_manual(row)
    _require_grants(change, row)
    user = found_by(change.db, User, member, User.name)
    found = [one for one in _members(change.db, row.id) if user is not None and one.user_id == user.id]
    if user is None or not found:
        raise Refused(Code.NOT_FOUND, f"the team {row.name!r} has no member {member!r}")
    change.event.changes = {"member": [user.name, None]}
    change.db.delete(found[0])
    _touched(change, row)
    change.db.flush()
    return view(change.db, row)


def listed(db: Session, caller: Principal) -> list[TeamView]:
    require(caller, Permission.MEMBERS_GET, ORGANIZATION)
    return [view(db, row) for row in db.scalars(select(Team).order_by(Team.name))]


def get(db: Session, caller: Principal, reference: str) -> TeamView:
    require(caller, Permission.MEMBERS_GET, ORGANIZATION)
    return view(db, found(db, reference))


def found(db: Session, reference: str) -> Team:
    row = found_by(db, Team, reference, Team.name)
    if row is None:
        raise Refused(Code.NOT_FOUND, f"there is no team {reference!r}")
    return row


def bindings_of(db: Session, team: UUID) -> list[TeamRoleBinding]:
    return list(db.scalars(select(TeamRoleBinding).where(TeamRoleBinding.team_id == team)))


def names_of(db: Session, user: UUID) -> tuple[str, ...]:
    """The teams of a user."""
    statement = select(Team.name).join(TeamMember, TeamMember.team_id == Team.id)
    return tuple(db.scalars(statement.where(TeamMember.user_id == user).order_by(Team.name)))


def take_over(
    db: Session,
    user: UUID,
    wanted: Mapping[str, bool],
    *,
    pushed: Container[str] = (),
    create: bool,
    now: datetime,
) -> dict[str, list[str]]:
    """Make a user's memberships from the identity provider those of `wanted` (`domain.group_sync.teams_of`).

    `pushed`: those that SCIM has sent, whatever a sign-in says. `create`: make teams that are missing. Memberships that
    people gave stay. Returns what changed: names that were added, and that were removed.
    """
    teams = {one.name: one for one in db.scalars(select(Team))}
    for name in wanted:
        if name not in teams and create:
            teams[name] = _made(db, name, by=_BY_PROVIDER, now=now, idp_managed=True)
    members = {one.team_id: one for one in db.scalars(select(TeamMember).where(TeamMember.user_id == user))}
    added, removed = [], []
    for name, team in teams.items():
        member = members.get(team.id)
        joins = name in wanted and (wanted[name] or team.idp_managed)
        source = SCIM if name in pushed else IDP
        if joins and member is None:
            db.add(TeamMember(team_id=team.id, user_id=user, source=source, created_at=now))
            added.append(name)
        elif joins and member is not None and member.source not in (MANUAL, source):
            member.source = source
        elif not joins and member is not None and member.source != MANUAL:
            db.delete(member)
            removed.append(name)
    db.flush()
    return {key: sorted(names) for key, names in (("added", added), ("removed", removed)) if names}


def view(db: Session, row: Team) -> TeamView:
    statement = select(TeamMember, User.name).join(User, User.id == TeamMember.user_id)
    members = db.execute(statement.where(TeamMember.team_id == row.id).order_by(User.name)).all()
    return TeamView(
        id=row.id,
        name=row.name,
        description=row.description,
        idp_managed=row.idp_managed,
        members=tuple(
            TeamMemberView(user=one.user_id, name=name, source=one.source) for one, name in members
        ),
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        revision=row.revision,
    )


def _made(db: Session, name: str, *, by: str, now: datetime, idp_managed: bool) -> Team:
    made = {"created_at": now, "created_by": by, "updated_at": now, "updated_by": by}
    row = Team(name=name, idp_managed=idp_managed, description="", revision=1, **made)
    db.add(row)
    db.flush()
    return row


def _for_change(change: Change, reference: str) -> Team:
    change.event.target = f"team:{reference}"
    change.require(Permission.MEMBERS_UPDATE, ORGANIZATION)
    row = found(change.db, reference)
    change.event.target = f"team:{row.name}"
    change.expect(row.revision, f"the team {row.name!r}")
    return row


def _touched(change: Change, row: Team) -> None:
    row.revision += 1
    row.updated_at, row.updated_by = change.now, change.caller.name


def _members(db: Session, team: UUID) -> list[TeamMember]:
    return list(db.scalars(select(TeamMember).where(TeamMember.team_id == team)))


def _require_manual(row: Team) -> None:
    if row.idp_managed:
        raise Refused(
            Code.CONFLICT,
            f"the members of the team {row.name!r} come from the identity provider",
            remedy="Change the group there, or make the team one that people manage: `idp_managed: false`.",
        )


def _require_grants(change: Change, row: Team) -> None:
    """A change of a team's members gives its roles, or takes them."""
    for binding in people.bindings(change.db, bindings_of(change.db, row.id)):
        if not change.caller.may_grant(binding):
            raise Refused(
                Code.NOT_PERMITTED,
                f"the team {row.name!r} has the role {binding.role.value}, which {change.caller.name} may not give",
                remedy="Ask an owner of the organization.",
            )
