"""Who did what, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from tradewind_provider.airflow import audit_log
from tradewind_provider.services import client_address
from tradewind_provider.store.tables import Event

PLANE = "plane"
"""The actor of what the plane does by itself."""


def record(
    db: Session,
    *,
    action: str,
    actor: str,
    subject: str,
    reason: str = "",
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write one audit event in the transaction of `db`, so that it exists exactly when the change does.

    `action` is a stable key ("token_created"), `actor` a person's name, "agent:<name>" or PLANE, `subject`
    "<kind>:<name>". Nothing secret belongs in any of them. From where it was asked is known from the request in hand.
    What a person did is written into Airflow's own audit log as well.
    """
    address, about = client_address.address(), dict(detail or {})
    if client_address.endpoint():
        about["endpoint"] = client_address.endpoint()
    db.add(
        Event(
            at=now,
            action=action,
            actor=actor[:250],
            subject=subject[:250],
            address=address[:64],
            reason=reason,
            detail=about,
        )
    )
    if actor != PLANE and not actor.startswith(("agent:", "sentinel:")):
        extra = {"subject": subject, "reason": reason, "address": address, **about}
        audit_log.write(db, event=f"tradewind_{action}", owner=actor, extra=extra, now=now)
