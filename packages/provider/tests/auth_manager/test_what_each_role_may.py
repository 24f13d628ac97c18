"""The table of roles, as Airflow's pages and the operator API meet it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.common.types import MenuItem

from tradewind_provider.airflow import permissions
from tradewind_provider.airflow.permissions import Permission
from tradewind_provider.auth_manager.users import PlatformUser
from tradewind_provider.domain import access_roles
from tradewind_provider.domain.access import Holder
from tradewind_provider.domain.access_roles import AirflowRole

from .conftest import Deployment

R = Permission


@pytest.mark.parametrize(
    ("role", "audit", "may"),
    [
        ("VIEWER", False, {R.READ}),
        ("VIEWER", True, {R.READ, R.AUDIT}),
        ("USER", False, {R.READ}),
        ("OP", False, {R.READ, R.OPERATE}),
        ("ADMIN", True, set(R)),
    ],
    ids=["viewer", "auditor", "user", "op", "admin"],
)
def test_a_role_may_on_the_operator_api_what_its_name_says(
    deployment: Deployment, role: str, audit: bool, may: set[Permission]
) -> None:
    user = _user(role, audit)
    assert {one for one in Permission if permissions.allowed(user, one)} == may
    assert (deployment.signed_in(role, audit=audit).get("/tradewind/v1/tokens").status_code == 200) is (
        R.OPERATE in may
    )


def test_every_view_and_menu_item_of_this_airflow_is_in_the_table() -> None:
    assert all(access_roles.may_view(AirflowRole.VIEWER, one.value) for one in AccessView)
    assert all(access_roles.may_see(AirflowRole.ADMIN, one.value, audit=True) for one in MenuItem)


@pytest.mark.parametrize("role", AirflowRole, ids=lambda one: one.value)
def test_what_the_table_does_not_know_is_refused_to_everyone(
    deployment: Deployment, role: AirflowRole
) -> None:
    newer: Any = SimpleNamespace(value="EVERYTHING")
    manager, user = deployment.manager, _user(role.value, True)
    assert not manager.is_authorized_view(access_view=newer, user=user)
    assert not access_roles.may(role, "teapot", "GET")
    assert newer not in manager.filter_authorized_menu_items([newer], user=user)


@pytest.mark.parametrize("view", ["AUDIT_LOGS_ALL", "IMPORT_ERRORS_ALL", "REPARSE_ALL"])
def test_views_over_all_dags_are_an_administrators(view: str) -> None:
    assert [one for one in AirflowRole if access_roles.may_view(one, view)] == [AirflowRole.ADMIN]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "can_do"])
def test_only_an_administrator_changes_a_view_of_a_plugin(deployment: Deployment, method: str) -> None:
    may = [
        role
        for role in AirflowRole
        if deployment.manager.is_authorized_custom_view(
            method=method, resource_name="Roles", user=_user(role.value, False)
        )
    ]
    assert may == [AirflowRole.ADMIN]


def test_the_audit_log_of_dags_is_not_a_matter_of_the_role(deployment: Deployment) -> None:
    def may(role: str, audit: bool) -> bool:
        return deployment.manager.is_authorized_dag(
            method="GET", access_entity=DagAccessEntity.AUDIT_LOG, user=_user(role, audit)
        )

    assert may("VIEWER", True)
    assert not may("OP", False)


def _user(role: str, audit: bool) -> PlatformUser:
    id = uuid4()
    return PlatformUser(id, "someone", spoken_for=Holder(id, "someone", AirflowRole(role), audit))
