"""A change that a caller asked for: its transaction, its condition, and the one audit event that it makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from tradewind_platform.domain.catalogue import Offered
from tradewind_platform.domain.roles import Permission, Principal, Target
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.store.tables import AuditEvent
from tradewind_protocol.errors import Code, Refused


class PreconditionFailed(Refused):
    """The conflict that a change was made for another revision: the answer has the status 412."""


@dataclass(frozen=True)
class Origin:
    """Where a request came from."""

    request_id: str = ""
    address: str = ""
    client: str = ""


@dataclass
class Event:
    """What the audit event of a change is about. Nothing secret belongs into it: a secret's new value is `changed`."""

    target: str = ""
    workspace: UUID | None = None
    deployment: UUID | None = None
    reason: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    former_workspace: UUID | None = None
    """The workspace that the target has left by the change."""


@dataclass
class Change:
    """What a service needs to make a change."""

    db: Session
    caller: Principal
    now: datetime
    ring: KeyRing
    expected: int | None = None
    """The revision that the change was made for (`If-Match`); None: any."""
    event: Event = field(default_factory=Event)
    offered: Offered = field(default_factory=Offered)
    """The versions of Airflow that Deployments may have."""
    begun: bool = False
    """Whether an operation was begun, which the reconciler shall look at once this is committed."""

    def require(self, permission: Permission, target: Target) -> None:
        """Raises Refused NOT_PERMITTED unless the caller may."""
        require(self.caller, permission, target)

    def expect(self, revision: int, what: str) -> None:
        """Raises PreconditionFailed when the change was made for another revision."""
        if self.expected is not None and self.expected != revision:
            raise PreconditionFailed(
                Code.CONFLICT,
                f"{what} has the revision {revision}, and the change was made for {self.expected}",
                remedy="Read it again, and make the change to what it is now.",
                revision=revision,
            )


def require(caller: Principal, permission: Permission, target: Target) -> None:
    """Raises Refused NOT_PERMITTED unless the caller may."""
    if not caller.may(permission, target):
        raise Refused(
            Code.NOT_PERMITTED,
            f"{caller.name} may not {permission.value} on this {target.level.value}",
            remedy="Ask an owner of the workspace or of the organization for a role that may.",
            permission=permission.value,
        )


def record(
    db: Session,
    *,
    action: str,
    caller: Principal,
    origin: Origin,
    event: Event,
    result: str,
    now: datetime,
    organization: UUID | None = None,
) -> None:
    """Write an audit event in the transaction of `db`. A session over all organizations needs `organization`."""
    db.add(
        AuditEvent(
            organization_id=organization,
            at=now,
            request_id=origin.request_id,
            actor_kind=caller.kind,
            actor_id=caller.id,
            actor=caller.name,
            address=origin.address[:250],
            client=origin.client[:250],
            action=action,
            target=event.target[:250],
            workspace_id=event.workspace,
            former_workspace_id=event.former_workspace,
            deployment_id=event.deployment,
            result=result,
            reason=event.reason,
            changes=event.changes,
        )
    )
