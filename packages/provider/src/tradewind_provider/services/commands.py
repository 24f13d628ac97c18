"""Commands to agents: a row each, sent with every answer to a poll until the agent names it as carried out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from tradewind_protocol.polling import Verb
from tradewind_provider import notifications
from tradewind_provider.store.tables import AgentCommand


def ask(
    db: Session,
    session_id: UUID,
    verb: Verb,
    *,
    asked_by: str,
    now: datetime,
    reason: str = "",
    arguments: Mapping[str, Any] | None = None,
) -> UUID:
    """Ask the agent of a session to do something; it hears of it at once, when the transaction commits. Returns the
    command's id."""
    command = AgentCommand(
        id=uuid4(),
        session_id=session_id,
        verb=verb.value,
        arguments=dict(arguments or {}),
        reason=reason,
        asked_by=asked_by,
        created_at=now,
    )
    db.add(command)
    notifications.publish(db, notifications.AGENTS)
    return command.id
