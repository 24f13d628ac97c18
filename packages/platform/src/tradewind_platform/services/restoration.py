"""What a platform that is restored from a backup forgets, and what it shall not forget: that access was taken away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.custom_roles import CustomRole
from tradewind_platform.services import workspace_moves
from tradewind_platform.services.role_lookup import defined, write_definition
from tradewind_platform.store.access_tables import AccessRevision
from tradewind_platform.store.address_tables import AllowedAddressList
from tradewind_platform.store.cluster_tables import ClusterToken
from tradewind_platform.store.people_tables import SignInLink, SignInSession
from tradewind_platform.store.role_tables import RoleDefinition
from tradewind_platform.store.scim_tables import ScimGroupMember, ScimToken, ScimUser
from tradewind_platform.store.tables import (
    ApiToken,
    ApiTokenValue,
    AuditEvent,
    Deployment,
    Organization,
    RoleBinding,
    User,
    Workspace,
)
from tradewind_platform.store.team_tables import Invite, TeamMember, TeamRoleBinding

_RESTORED: Final = "the platform was restored"
_AHEAD: Final = 1_000_000
"""Deployments keep the newest revision of access that they have seen: a restored platform's has to be newer."""

_TAKEN_AWAY: Final[tuple[tuple[type[Any], str], ...]] = (
    (RoleBinding, "role bindings stay removed"),
    (TeamMember, "members of teams stay removed"),
    (
        ScimGroupMember,
        "members of groups that SCIM has sent stay removed",
    ),  # else the next sign-in puts them into teams again
    (TeamRoleBinding, "role bindings of teams stay removed"),
    (Invite, "invites stay withdrawn"),
    (ClusterToken, "cluster tokens stay revoked"),
    (ScimToken, "SCIM tokens stay revoked"),
)
_TOKENS: Final = (ClusterToken, ScimToken)
"""Of these, a value that was replaced since is as good as revoked."""


@dataclass(frozen=True)
class Present:
    """What the database has that is replaced."""

    organizations: frozenset[UUID]
    tokens: frozenset[UUID]  # API tokens that are good
    values: frozenset[UUID]  # of API tokens, that were not replaced
    rows: dict[str, frozenset[UUID]]  # of tables whose rows give access, by table
    enabled: frozenset[UUID]  # users
    roles: dict[tuple[UUID, str], CustomRole | None]  # by organization and name; None: deleted
    deployments: dict[UUID, str]
    workspaces: dict[UUID, UUID]  # of Deployments
    allowed: dict[UUID, AllowedAddressList]  # by organization
    events: int
    access: int


def present(db: Session) -> Present:
    return Present(
        organizations=frozenset(db.scalars(select(Organization.id))),
        tokens=frozenset(one.id for one in _good_tokens(db)),
        values=frozenset(db.scalars(select(ApiTokenValue.id).where(ApiTokenValue.until.is_(None)))),
        rows={table.__tablename__: _good_rows(db, table) for table, _ in _TAKEN_AWAY},
        enabled=frozenset(one.id for one in _enabled(db)),
        roles={
            (one.organization_id, one.name): None if one.deleted_at is not None else defined(one)
            for one in db.scalars(select(RoleDefinition))
        },
        deployments={one.id: one.name for one in db.scalars(select(Deployment))},
        workspaces={one.id: one.workspace_id for one in db.scalars(select(Deployment))},
        allowed={one.organization_id: one for one in db.scalars(select(AllowedAddressList))},
        events=len(db.scalars(select(AuditEvent.id)).all()),
        access=max(db.scalars(select(AccessRevision.revision)).all(), default=0),
    )


def losses(db: Session, now: Present | None) -> list[str]:
    """A sentence for each thing that is forgotten. `db`: the backup."""
    sentences = ["Every browser's session ends. Local passwords and settings are those of the backup."]
    if now is None:
        return [
            *sentences,
            "The database that is replaced cannot be read, so it is not known what was taken away since.",
            "Every API token, cluster token and SCIM token ends. Check the users, teams and role bindings.",
        ]
    then = present(db)
    made = sorted(name for id, name in now.deployments.items() if id not in then.deployments)
    if made:
        sentences.append(
            f"Deployments made since are forgotten, and their processes go on: {', '.join(made)}."
        )
    known = set(db.scalars(select(Workspace.id)))
    if back := sorted(
        name
        for id, name in then.deployments.items()
        if now.workspaces.get(id, then.workspaces[id]) not in {then.workspaces[id], *known}
    ):
        sentences.append(
            f"Deployments are in their former workspace again, as the one they were moved to is forgotten: {', '.join(back)}."
        )
    for what, mine, theirs in (
        ("API tokens", now.tokens, then.tokens),
        ("role bindings", now.rows["role_binding"], then.rows["role_binding"]),
        ("users", now.enabled, then.enabled),
    ):
        if new := len(mine - theirs):
            sentences.append(f"{new} {what} made since are forgotten.")
    if (events := now.events - then.events) > 0:
        sentences.append(f"{events} events of the audit trail are forgotten.")
    return sentences


def keep_revocations(db: Session, now: Present | None, at: datetime) -> list[str]:
    """In the database of the backup: what was taken away since stays so, and every session has ended. Returns a sentence for
    each kind. Where it is not known what was taken away, every token ends."""
    sentences = []
    gone = [one for one in _good_tokens(db) if now is None or one.id not in now.tokens]
    for token in gone:
        token.deleted_at = at
    if gone:
        sentences.append(f"API tokens that stay deleted: {', '.join(sorted(one.name for one in gone))}.")
    for value in db.scalars(select(ApiTokenValue).where(ApiTokenValue.until.is_(None))):
        if now is not None and value.id not in now.values:
            value.until = at  # the token was rotated since
    for table, what in _TAKEN_AWAY:
        known = frozenset[UUID]() if now is None else now.rows[table.__tablename__]
        if now is None and table not in _TOKENS:
            continue
        rows = [one for one in db.scalars(select(table)) if one.id not in known]
        for row in rows:
            db.delete(row)
        if rows:
            sentences.append(f"{len(rows)} {what}.")
    if now is not None and (kept := _keep_roles_narrow(db, now.roles, at)):
        sentences.append(f"Roles that stay deleted, or no wider than they were: {', '.join(kept)}.")
    if now is not None and _keep_allowed_addresses(db, now.allowed):
        sentences.append("The list of allowed addresses stays as it is.")
    if now is not None and (stay := _keep_moves(db, now.workspaces, at)):
        sentences.append(f"Deployments that stay in the workspace they were moved to: {', '.join(stay)}.")
    disabled = [one for one in _enabled(db) if now is not None and one.id not in now.enabled]
    for user in disabled:
        user.disabled_at = at
        for sent in db.scalars(select(ScimUser).where(ScimUser.user_id == user.id)):
            sent.active = False  # so that the identity provider can say that the person is active again
    if disabled:
        sentences.append(f"Users that stay disabled: {', '.join(sorted(one.name for one in disabled))}.")
    for link in db.scalars(select(SignInLink).where(SignInLink.used_at.is_(None))):
        db.delete(link)
    for session in db.scalars(select(SignInSession).where(SignInSession.ended_at.is_(None))):
        session.ended_at, session.end_reason = at, _RESTORED
    before = present(db).access
    for revision in db.scalars(select(AccessRevision)):
        revision.revision = max(before, 0 if now is None else now.access) + _AHEAD
    db.flush()
    return sentences


def _keep_allowed_addresses(db: Session, now: dict[UUID, AllowedAddressList]) -> bool:
    """Networks that were taken off a list since are not on it again. Returns whether the backup has another list."""
    then = {row.organization_id: row for row in db.scalars(select(AllowedAddressList))}
    changed = False
    for organization, kept in now.items():
        row = then.get(organization)
        if row is None:
            row = AllowedAddressList(organization_id=organization, networks=[])
            db.add(row)
        changed = changed or row.networks != kept.networks
        row.networks, row.revision = kept.networks, kept.revision
        row.changed_at, row.changed_by = kept.changed_at, kept.changed_by
    return changed


def _keep_moves(db: Session, now: dict[UUID, UUID], at: datetime) -> list[str]:
    """People who lost a role on a Deployment by a move do not get it back. A Deployment that was moved to a workspace made since the
    backup stays in that of the backup. Returns the names of those that were moved since."""
    known = set(db.scalars(select(Workspace.id)))
    moved = []
    for row in db.scalars(select(Deployment).order_by(Deployment.name)):
        workspace = now.get(row.id, row.workspace_id)
        if workspace != row.workspace_id and workspace in known:
            workspace_moves.bind(db, row, workspace)
            row.layers_changed_at = at
            moved.append(row.name)
    return moved


def _keep_roles_narrow(
    db: Session, now: dict[tuple[UUID, str], CustomRole | None], at: datetime
) -> list[str]:
    """Custom roles allow what they did both then and now. One that was made since is deleted: its name stays its own. Returns the names of
    those that changed."""
    changed = []
    then = {(row.organization_id, row.name): row for row in db.scalars(select(RoleDefinition))}
    for key, row in then.items():
        if row.deleted_at is not None or key not in now:
            continue
        role = now[key]
        if role is None:
            row.deleted_at = at
            changed.append(row.name)
        elif (narrowed := defined(row).narrowed(role)) != defined(row):
            write_definition(row, narrowed)
            changed.append(row.name)
    organizations = set(db.scalars(select(Organization.id)))
    for organization, name in now.keys() - then.keys():
        if organization not in organizations:
            continue
        made = {"created_at": at, "created_by": _RESTORED, "updated_at": at, "updated_by": _RESTORED}
        row = RoleDefinition(organization_id=organization, name=name, description="", deleted_at=at, **made)
        write_definition(row, CustomRole(name, frozenset()))
        db.add(row)
    return sorted(changed)


def _good_rows(db: Session, table: type[Any]) -> frozenset[UUID]:
    statement = select(table.id)
    if table in _TOKENS:
        statement = statement.where(table.until.is_(None))
    return frozenset(db.scalars(statement))


def _good_tokens(db: Session) -> list[ApiToken]:
    return list(db.scalars(select(ApiToken).where(ApiToken.deleted_at.is_(None))))


def _enabled(db: Session) -> list[User]:
    return list(db.scalars(select(User).where(User.disabled_at.is_(None))))
