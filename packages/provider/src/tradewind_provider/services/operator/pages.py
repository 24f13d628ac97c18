"""Parts of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

Row = TypeVar("Row")


class PageRequest(NamedTuple):
    """Which part of a list is asked for."""

    limit: int = 100
    offset: int = 0

    def of(self, items: Sequence[Row]) -> Sequence[Row]:
        """That part of a list that is in memory."""
        return items[self.offset : self.offset + self.limit]


def counted(db: Session, statement: Any) -> int:
    """How many rows a statement has, ordering left out."""
    return db.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0
