"""How large the metadata database is."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def size(db: Session) -> int | None:
    """Bytes on the disk, with the tables of Airflow. None for a kind of database that is not asked."""
    match db.get_bind().dialect.name:
        case "postgresql":
            return int(db.scalar(text("SELECT pg_database_size(current_database())")) or 0)
        case "sqlite":
            pages, bytes = (db.scalar(text(f"PRAGMA {one}")) or 0 for one in ("page_count", "page_size"))
            return int(pages) * int(bytes)
    return None
