"""An access document as it is asked: one look-up for each decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tradewind_protocol.access import AccessDocument
from tradewind_provider.domain.access_roles import AirflowRole


@dataclass(frozen=True)
class Holder:
    """A person or an API token that has a role."""

    id: UUID
    name: str
    role: AirflowRole
    audit: bool = False

    def reduced(self) -> Holder:
        """With the least role: what is left when the platform has not been heard of for too long."""
        return Holder(self.id, self.name, AirflowRole.VIEWER)


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
    """Who has which role. A role that this version does not know gives none."""

    revision: int = -1
    users: Mapping[UUID, Holder] = field(default_factory=dict)
    tokens_by_hash: Mapping[str, TokenValue] = field(default_factory=dict)
    tokens_by_value: Mapping[UUID, TokenValue] = field(default_factory=dict)
    ended_sessions: frozenset[UUID] = frozenset()
    contacts: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: AccessDocument) -> Access:
        users = {
            one.id: Holder(one.id, one.name, AirflowRole(one.role), one.audit)
            for one in document.users
            if one.role in _KNOWN
        }
        tokens = [
            (
                one.hash,
                TokenValue(
                    one.value, Holder(one.id, one.name, AirflowRole(one.role), one.audit), one.expires_at
                ),
            )
            for one in document.tokens
            if one.role in _KNOWN
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
