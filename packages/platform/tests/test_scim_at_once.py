"""Requests of an identity provider at the same moment, on PostgreSQL: it has many writers, and SQLite has one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from support import postgresql
from support.platform_parts import NOW, Api
from support.scim import Scim
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.services import group_teams, scim_groups, scim_users, users
from tradewind_platform.store.scim_tables import ScimGroup, ScimUser
from tradewind_platform.store.tables import Organization, User

pytestmark = pytest.mark.postgresql


@pytest.fixture
def database_url(server: postgresql.PostgreSQL) -> str:
    return server.new_database()


@pytest.fixture
def scim(api: Api) -> Scim:
    return Scim(api)


def waits(scim: Scim, held: Any, change: Callable[[Session], Any]) -> None:
    """The change waits for a transaction that has locked the rows."""
    store, organization = scim.api.platform.store, scim.api.organization
    with store.transaction(organization) as first:
        assert first.scalars(held.with_for_update()).all()
        with pytest.raises(OperationalError, match="lock timeout"):
            with store.transaction(organization) as second:
                second.connection().exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
                change(second)


def test_two_changes_of_a_group_are_made_one_after_the_other(scim: Scim) -> None:
    """Else the second one writes the members that it read before, and brings back who was just taken out."""
    made = scim.group("Data Engineers")
    waits(scim, select(ScimGroup), lambda db: scim_groups.get(db, made["id"]))


def test_two_changes_of_a_person_are_made_one_after_the_other(scim: Scim) -> None:
    made = scim.user("grace@example.com")
    waits(scim, select(ScimUser), lambda db: scim_users.get(db, made["id"]))


def test_two_owners_who_are_deactivated_at_once_do_not_count_on_each_other(scim: Scim) -> None:
    """They do not wait for each other either: each has its own row locked, and then the organization's."""
    carl = scim.api.user("carl", Binding(Role.ORGANIZATION_OWNER, ORGANIZATION))
    everybody = select(Organization)
    waits(scim, everybody, lambda db: users.set_disabled(db, db.get_one(User, carl), True, now=NOW))


def test_names_of_two_groups_are_compared_one_after_the_other(scim: Scim) -> None:
    """Else each of the two is stored before the other one can be seen, and both are one team."""
    waits(scim, select(Organization), group_teams.require_teams_of_their_own)
