"""What this Deployment made up for itself, once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tradewind_protocol import ids
from tradewind_provider.services import audit
from tradewind_provider.store.tables import Setting

_MARK = "mark"


def mark(db: Session, *, now: datetime) -> str:
    """What every agent token of this Deployment carries; made at the first call and kept for good."""
    found = db.get(Setting, _MARK)
    if found is None:
        found = Setting(name=_MARK, value=ids.new_mark(), revision=1, changed_at=now, changed_by=audit.PLANE)
        try:
            with db.begin_nested():
                db.add(found)
        except IntegrityError:  # another API server was a moment faster
            found = db.get_one(Setting, _MARK, populate_existing=True)
    return str(found.value)
