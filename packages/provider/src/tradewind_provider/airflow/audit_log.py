"""Airflow's own audit log (Browse > Audit Log): what people changed here is listed there too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow.models.log import Log
from sqlalchemy.orm import Session


def write(
    db: Session, *, event: str, owner: str, extra: Mapping[str, Any], now: datetime, dag_id: str | None = None
) -> None:
    """Add a line, in the transaction of `db`; to the audit log of a Dag, if one is named."""
    line = Log(event=event[:60], owner=owner[:500], extra=json.dumps(extra, default=str), dag_id=dag_id)
    line.dttm = now
    db.add(line)
