"""Finds people and groups by a SCIM filter, a page at a time.

Identity providers look for one by its user name, its external id or its display name before they send it: an index
answers that. Any other filter is held against each resource.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic
from uuid import UUID

from scim2_models import SearchRequest
from scim2_models.path import CompareOperator, Comparison
from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import Session

from tradewind_platform.domain.scim_resources import LARGEST_PAGE, AnyResource, Group, User
from tradewind_platform.services import scim_groups, scim_users
from tradewind_platform.store.scim_tables import ScimGroup, ScimUser

_PAGE: Final = 100
_Condition = Callable[[str], "ColumnElement[bool]"]


@dataclass(frozen=True)
class Listing(Generic[AnyResource]):
    """A page of what a filter finds. `start` counts from one."""

    total: int
    start: int
    resources: Sequence[AnyResource]


def users(db: Session, asked: SearchRequest[User]) -> Listing[User]:
    found = scim_users.rows(db, *_conditions(asked, _OF_USERS))
    return _page(asked, found, lambda rows: scim_users.resources(db, rows), indexed=_OF_USERS)


def groups(db: Session, asked: SearchRequest[Group]) -> Listing[Group]:
    found = scim_groups.rows(db, *_conditions(asked, _OF_GROUPS))
    return _page(asked, found, lambda rows: scim_groups.resources(db, rows), indexed=_OF_GROUPS)


def everything(db: Session, asked: SearchRequest[Any]) -> Listing[Any]:
    """People and groups. An attribute that one of them does not have matches none of these."""
    found = [
        *scim_users.resources(db, scim_users.rows(db)),
        *scim_groups.resources(db, scim_groups.rows(db)),
    ]
    return _page(asked, found, list, indexed={})


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)  # the id of nothing


_OF_USERS: Final[Mapping[str, _Condition]] = {
    "username": lambda text: ScimUser.user_name_key == text.casefold(),
    "externalid": lambda text: ScimUser.external_id == text,
    "id": lambda text: ScimUser.user_id == _uuid(text),
}
_OF_GROUPS: Final[Mapping[str, _Condition]] = {
    "displayname": lambda text: func.lower(ScimGroup.display_name) == text.lower(),
    "externalid": lambda text: ScimGroup.external_id == text,
    "id": lambda text: ScimGroup.id == _uuid(text),
}


def _looked_up(asked: SearchRequest[Any], indexed: Mapping[str, _Condition]) -> ColumnElement[bool] | None:
    """The condition on a column that the whole filter is, if it is one."""
    node = None if asked.filter is None else asked.filter.ast
    if not isinstance(node, Comparison) or node.op is not CompareOperator.eq:
        return None
    if node.attr_path.sub_attr is not None or not isinstance(node.value, str) or "\x00" in node.value:
        return None
    condition = indexed.get(node.attr_path.attr.casefold())
    return None if condition is None else condition(node.value)


def _conditions(asked: SearchRequest[Any], indexed: Mapping[str, _Condition]) -> list[ColumnElement[bool]]:
    condition = _looked_up(asked, indexed)
    return [] if condition is None else [condition]


def _page(
    asked: SearchRequest[AnyResource],
    found: Sequence[Any],
    read: Callable[[Sequence[Any]], list[AnyResource]],
    *,
    indexed: Mapping[str, _Condition],
) -> Listing[AnyResource]:
    start = asked.start_index or 1
    count = min(_PAGE if asked.count is None else asked.count, LARGEST_PAGE)
    if asked.filter is None or _looked_up(asked, indexed) is not None:
        return Listing(len(found), start, read(found[start - 1 : start - 1 + count]) if count else [])
    matching = [one for one in read(found) if asked.filter.match(one)]
    return Listing(len(matching), start, matching[start - 1 : start - 1 + count])
