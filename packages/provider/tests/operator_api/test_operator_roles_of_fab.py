"""The same mapping of roles with the other auth manager of Airflow, and the permissions its roles have by default."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tradewind_provider.airflow import permissions
from tradewind_provider.airflow.permissions import Permission


@pytest.fixture
def fab(monkeypatch: pytest.MonkeyPatch) -> Any:
    """FAB's auth manager in the place of Airflow's, and users with the permissions of one of its roles."""
    manager_module = pytest.importorskip("airflow.providers.fab.auth_manager.fab_auth_manager")
    override = pytest.importorskip("airflow.providers.fab.auth_manager.security_manager.override")
    manager = manager_module.FabAuthManager()
    monkeypatch.setattr(permissions, "get_auth_manager", lambda: manager)
    roles = {one["role"]: one["perms"] for one in override.FabAirflowSecurityManagerOverride.ROLE_CONFIGS}

    def user(role: str) -> Any:
        return SimpleNamespace(perms=set(roles[role]), is_anonymous=False, id=1)

    return user


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("Public", set()),
        ("Viewer", {Permission.READ}),
        ("User", {Permission.READ}),
        ("Op", {Permission.READ, Permission.OPERATE}),
        ("Admin", {Permission.READ, Permission.OPERATE, Permission.ADMINISTER, Permission.AUDIT}),
    ],
)
def test_the_roles_of_fab_may_what_their_names_say(fab: Any, role: str, may: set[Permission]) -> None:
    assert {one for one in Permission if permissions.allowed(fab(role), one)} == may
