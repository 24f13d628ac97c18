"""The names of users in the platform: short, unique, and made of what an identity provider says of a person."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import group_sync
from tradewind_platform.store.tables import User

_LONGEST: Final = 44


def free_name(db: Session, candidates: Iterable[str]) -> str:
    """A name that no user has, of the first candidate that gives one. Equal names are no sign of one person."""
    made = (group_sync.name_from(one) for one in (*candidates, "user"))
    base = next(name for name in made if name)[:_LONGEST].strip("-")
    taken = set(db.scalars(select(User.name).where(User.name.startswith(base, autoescape=True))))
    numbered = (f"{base}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([base], numbered) if name not in taken)
