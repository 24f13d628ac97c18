"""Invites: a role that waits for the person with an e-mail address."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.email_addresses import folded
from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal
from tradewind_platform.services import people, role_bindings
from tradewind_platform.services.change import Change, require
from tradewind_platform.store.tables import RoleBinding, User
from tradewind_platform.store.team_tables import Invite
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.people import InviteView, NewInvite


def create(change: Change, ask: NewInvite) -> InviteView:
    """The caller must be able to give the role."""
    change.event.target = f"invite:{ask.email}"
    binding = role_bindings.asked_for(change, ask.role, ask.workspace, ask.deployment)
    role_bindings.require_grant(change, binding)
    change.event.changes = {"role": [None, ask.role]}
    row = Invite(
        email=folded(ask.email),
        role=binding.role.value,
        workspace_id=binding.scope.workspace,
        deployment_id=binding.scope.deployment,
        created_at=change.now,
        created_by=change.caller.name,
        expires_at=change.now + timedelta(days=ask.expires_in_days),
    )
    change.db.add(row)
    change.db.flush()
    return view(change.db, row, change.now)


def withdraw(change: Change, invite: UUID) -> None:
    change.event.target = f"invite:{invite}"
    row = change.db.get(Invite, invite)
    if row is None or row.withdrawn_at is not None or not _may_see(change.caller, row):
        raise Refused(Code.NOT_FOUND, f"there is no invite {str(invite)!r}")
    change.event.target = f"invite:{row.email}"
    change.require(Permission.MEMBERS_UPDATE, people.scope_of(row))
    for binding in people.bindings(change.db, [row]):
        role_bindings.require_grant(change, binding)
    if row.accepted_at is not None:
        raise Refused(
            Code.CONFLICT, f"the invite of {row.email} was accepted", remedy="Unbind the role instead."
        )
    row.withdrawn_at = change.now


def listed(db: Session, caller: Principal, *, now: datetime) -> list[InviteView]:
    """Those of scopes whose members the caller may read. Raises Refused NOT_PERMITTED when there is no such scope."""
    if not any(caller.may(Permission.MEMBERS_GET, one.scope) for one in caller.bindings):
        require(caller, Permission.MEMBERS_GET, ORGANIZATION)
    rows = db.scalars(select(Invite).where(Invite.withdrawn_at.is_(None)).order_by(Invite.id.desc()))
    return [view(db, row, now) for row in rows if _may_see(caller, row)]


def accept(db: Session, email: str, user: UUID, *, now: datetime) -> list[str]:
    """Give a user the roles that wait for a verified e-mail address, once. Returns the roles."""
    rows = db.scalars(
        select(Invite).where(
            Invite.email == folded(email),
            Invite.accepted_at.is_(None),
            Invite.withdrawn_at.is_(None),
            Invite.expires_at > now,
        )
    ).all()
    have = set(people.bindings(db, db.scalars(select(RoleBinding).where(RoleBinding.user_id == user))))
    for row in rows:
        row.accepted_at, row.accepted_by = now, user
        for binding in set(people.bindings(db, [row])) - have:
            have.add(binding)
            db.add(
                RoleBinding(
                    user_id=user,
                    role=row.role,
                    workspace_id=row.workspace_id,
                    deployment_id=row.deployment_id,
                    created_at=now,
                    created_by=row.created_by,
                )
            )
    return [row.role for row in rows]


def view(db: Session, row: Invite, now: datetime) -> InviteView:
    pending = "pending" if row.expires_at > now else "expired"
    return InviteView(
        id=row.id,
        email=row.email,
        role=row.role,
        workspace=row.workspace_id,
        deployment=row.deployment_id,
        status="accepted" if row.accepted_at is not None else pending,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        accepted_at=row.accepted_at,
        accepted_by="" if row.accepted_by is None else db.get_one(User, row.accepted_by).name,
    )


def _may_see(caller: Principal, row: Invite) -> bool:
    return caller.may(Permission.MEMBERS_GET, people.scope_of(row))
