"""A platform with custom roles, and API servers of a release before them: what these read gives less, never more."""

from __future__ import annotations

from itertools import combinations
from uuid import UUID

import pytest

from tradewind_platform.domain.deployment_access import DeploymentAccess
from tradewind_platform.domain.roles import OPERATOR_PERMISSIONS, AirflowRole
from tradewind_protocol.access import PERMISSIONS_OF_AIRFLOW_ROLE, AccessUser
from tradewind_provider.domain import access_roles
from tradewind_provider.domain.access import Holder, holder_of

_WHO = {"id": UUID(int=1), "name": "eve"}


def _everything(holder: Holder | None) -> set[str]:
    """All that a holder may: on the operator API, and in Airflow."""
    if holder is None:
        return set()
    found = {name for name in PERMISSIONS_OF_AIRFLOW_ROLE["ADMIN"] if holder.may(name)}
    found |= {"audit"} if holder.audit else set()
    for resource in access_roles._RESOURCES:
        found |= {
            f"{resource} {verb}" for verb in ("GET", "PUT") if access_roles.may(holder.role, resource, verb)
        }
    return found | {f"view {one}" for one in access_roles._VIEWS if access_roles.may_view(holder.role, one)}


@pytest.mark.parametrize("airflow", [None, *AirflowRole], ids=str)
def test_one_that_reads_roles_in_airflow_only_never_gives_more_than_one_of_today(
    airflow: AirflowRole | None,
) -> None:
    subsets = [
        frozenset(some)
        for size in range(len(OPERATOR_PERMISSIONS) + 1)
        for some in combinations(sorted(OPERATOR_PERMISSIONS), size)
    ]
    assert len(subsets) == 2 ** len(OPERATOR_PERMISSIONS)
    exactly = 0
    for permissions in subsets:
        told = DeploymentAccess(airflow, permissions, audit=False).on_the_wire()
        today = holder_of(AccessUser(**_WHO, **told))
        before = holder_of(AccessUser(**_WHO, role=told["role"], audit=told["audit"]))
        assert _everything(before) <= _everything(today), (airflow, permissions)
        assert today is not None
        assert {name for name in PERMISSIONS_OF_AIRFLOW_ROLE["ADMIN"] if today.may(name)} == {
            one.value for one in permissions
        }
        assert (None if today.role is None else today.role.value) == (
            None if airflow is None else airflow.value
        )
        exactly += "permissions" not in told
    assert exactly == (0 if airflow is None else 1), (
        "what a role in Airflow gives by itself is told as before"
    )
