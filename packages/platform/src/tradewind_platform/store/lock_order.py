"""In which order changes lock rows, so that no two of them wait for each other.

On PostgreSQL a change locks the rows that it reads in order to write: then what it has decided by them stays true until it is committed.
Two changes that lock the same rows in different orders would wait for each other, and PostgreSQL would end one of them. So every change locks
rows of these tables in this order, and leaves out what it does not need. Of one table, several rows are locked in the order of their ids.
A row of a table that is not named here is locked after all of these, or alone.

They are locked `FOR NO KEY UPDATE`: a row that names a locked one is written meanwhile, so that no foreign key makes a change wait.

SQLite has one writer at a time, and no locks of rows.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from sqlalchemy import Select
from sqlalchemy.exc import OperationalError

_DEADLOCK: Final = "40P01"
Statement = TypeVar("Statement", bound=Select[Any])

ORDER: Final = (
    "custom_role",
    "workspace",  # before the cluster: its default one is known by then
    "cluster",
    "deployment",
    "team",
    "scim_group",
    "scim_user",
    "identity",
    "user_account",
    "organization",  # stands for what has to stay true of many rows: that there is an owner, that no two groups are one team
)
"""Tables, the first to be locked first."""


def locked(statement: Statement) -> Statement:
    """The statement with its rows locked: no other transaction changes them until this one has ended."""
    return statement.with_for_update(key_share=True)


def was_ended_for_another(error: OperationalError) -> bool:
    """Whether PostgreSQL has ended the transaction because it waited for another one that waited for it: an order that is not kept."""
    return getattr(error.orig, "pgcode", None) == _DEADLOCK
