"""An access document as it is asked: one look-up for each decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from tradewind_protocol.access import (
    PERMISSIONS_OF_AIRFLOW_ROLE,
    AccessDocument,
    AccessToken,
    AccessUser,
)
from tradewind_provider.domain.access_roles import AirflowRole

_AUDIT: Final = "audit.get"


@dataclass(frozen=True)
class Holder:
    """A person or an API token that may do something here. Without a role in Airflow, it is something on the operator API only."""

    id: UUID
    name: str
    role: AirflowRole | None
    audit: bool = False
    permissions: frozenset[str] | None = None
    """On the operator API, by their names on a platform; None: those of the role."""

    def may(self, permission: str) -> bool:
        """Whether it has a permission of the operator API."""
        return self.audit if permission == _AUDIT else permission in self._permitted

    @property
    def _permitted(self) -> frozenset[str]:
        if self.permissions is not None:
            return self.permissions
        return frozenset() if self.role is None else PERMISSIONS_OF_AIRFLOW_ROLE[self.role.value]

    def reduced(self) -> Holder:
        """With what a viewer has of it: what is left when the platform has not been heard of for too long."""
        viewer = AirflowRole.VIEWER
        kept = self._permitted & PERMISSIONS_OF_AIRFLOW_ROLE[viewer.value]
        return Holder(self.id, self.name, None if self.role is None else viewer, permissions=kept)


def holder_of(stated: AccessUser | AccessToken) -> Holder | None:
    """What the platform says of a person or a token. A role that this version does not know gives none; None: nothing is left."""
    if stated.permissions is None:
        role = _role(stated.role)
        return None if role is None else Holder(stated.id, stated.name, role, stated.audit)
    return Holder(
        stated.id, stated.name, _role(stated.airflow_role), stated.audit, frozenset(stated.permissions)
    )


def _role(name: str | None) -> AirflowRole | None:
    return AirflowRole(name) if name in _KNOWN else None


@dataclass(frozen=True)
class TokenValue:
    """One value of an API token, and what its token may do."""

    id: UUID
    holder: Holder
    expires_at: datetime | None

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True)
class Access:
    """Who may do what."""

    revision: int = -1
    users: Mapping[UUID, Holder] = field(default_factory=dict)
    tokens_by_hash: Mapping[str, TokenValue] = field(default_factory=dict)
    tokens_by_value: Mapping[UUID, TokenValue] = field(default_factory=dict)
    ended_sessions: frozenset[UUID] = frozenset()
    contacts: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: AccessDocument) -> Access:
        users = {one.id: holder for one in document.users if (holder := holder_of(one)) is not None}
        tokens = [
            (one.hash, TokenValue(one.value, holder, one.expires_at))
            for one in document.tokens
            if (holder := holder_of(one)) is not None
        ]
        return cls(
            document.revision,
            users,
            dict(tokens),
            {value.id: value for _, value in tokens},
            frozenset(document.ended_sessions),
            document.contacts,
        )


NOBODY = Access()
"""Before anything was heard: no one has a role."""

_KNOWN = frozenset(role.value for role in AirflowRole)
