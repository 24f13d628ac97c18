"""Running statements that change many rows."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import Delete, Update


def changed(db: Session, statement: Update | Delete) -> int:
    """Execute and return how many rows it changed. Objects already loaded do not notice; load them again."""
    result = db.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount
