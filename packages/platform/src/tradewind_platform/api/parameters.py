"""Parameters that many routes have."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

Reference = Annotated[
    str, Path(min_length=1, max_length=50, pattern=r"^[a-z0-9-]+$", description="A name or an id.")
]
Reason = Annotated[
    str,
    Query(max_length=1000, pattern=r"^[^\x00]*$", description="Why; it is kept in the audit trail."),
]
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]
