"""Whoever may make, change or give a custom role has all of it themselves, whatever roles they have: searched."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind_platform.domain.custom_roles import ALWAYS, GRANTABLE, CustomRole, may_define
from tradewind_platform.domain.deployment_access import DeploymentAccess
from tradewind_platform.domain.roles import (
    BY_AIRFLOW_ROLE,
    ORGANIZATION,
    AirflowRole,
    Binding,
    Level,
    Permission,
    Principal,
    Role,
    Target,
)

WORKSPACES = (UUID(int=1), UUID(int=2))
DEPLOYMENTS = tuple(Target(one, UUID(int=10 * one.int + number)) for one in WORKSPACES for number in (1, 2))
SCOPES = {
    Level.ORGANIZATION: (ORGANIZATION,),
    Level.WORKSPACE: tuple(Target(one) for one in WORKSPACES),
    Level.DEPLOYMENT: DEPLOYMENTS,
}
_search = settings(max_examples=400, deadline=None, derandomize=True, database=None)

custom_roles = st.builds(
    CustomRole,
    value=st.just("on-call"),
    permissions=st.frozensets(st.sampled_from(sorted(GRANTABLE)), max_size=6).map(
        lambda some: some | {ALWAYS}
    ),
    airflow_role=st.none() | st.sampled_from(AirflowRole),
    workspaces=st.none() | st.frozensets(st.sampled_from(WORKSPACES)),
)
# A role that can give roles at all has the right to change members.
strong = custom_roles.map(
    lambda one: CustomRole("people", one.permissions | {Permission.MEMBERS_UPDATE}, one.airflow_role)
)


@st.composite
def bindings(draw: st.DrawFn) -> tuple[Binding, ...]:
    roles = draw(st.lists(st.sampled_from(Role) | strong, max_size=3))
    return tuple(Binding(role, draw(st.sampled_from(SCOPES[role.level]))) for role in roles)


principals = st.builds(
    Principal,
    kind=st.just("user"),
    id=st.just(UUID(int=9)),
    name=st.just("eve"),
    bindings=bindings(),
    limits=st.none() | bindings(),
)


def _has_all(principal: Principal, role: CustomRole, deployment: Target) -> bool:
    airflow = principal.airflow_role(deployment)
    return role.permissions <= principal.permissions(deployment) and (
        role.airflow_role is None or (airflow is not None and airflow.includes(role.airflow_role))
    )


@_search
@given(principal=principals, role=custom_roles)
def test_who_may_make_or_change_a_role_has_all_of_it_wherever_it_may_be_given(
    principal: Principal, role: CustomRole
) -> None:
    if may_define(principal, role):
        assert all(_has_all(principal, role, one) for one in DEPLOYMENTS if role.holds_on(one))


@_search
@given(principal=principals, role=custom_roles, deployment=st.sampled_from(DEPLOYMENTS))
def test_who_may_give_a_role_has_all_of_it_there(
    principal: Principal, role: CustomRole, deployment: Target
) -> None:
    if role.holds_on(deployment) and principal.may_grant(Binding(role, deployment)):
        assert _has_all(principal, role, deployment)
        assert principal.may(Permission.MEMBERS_UPDATE, deployment)


@_search
@given(principal=principals, deployment=st.sampled_from(DEPLOYMENTS))
def test_on_the_operator_api_no_one_has_what_they_do_not_have_on_the_platform(
    principal: Principal, deployment: Target
) -> None:
    assert principal.operator_permissions(deployment) <= principal.permissions(deployment)
    access = DeploymentAccess.of(principal, deployment)
    if access is not None and access.role_alone in {one.value for one in AirflowRole}:
        alone = AirflowRole(access.role_alone)
        assert access.airflow_role is not None and access.airflow_role.includes(alone)
        assert BY_AIRFLOW_ROLE[alone] <= access.permissions


@_search
@given(one=custom_roles, other=custom_roles)
def test_what_two_definitions_have_in_common_is_no_more_than_either(
    one: CustomRole, other: CustomRole
) -> None:
    common = one.narrowed(other)
    assert common == other.narrowed(one)
    for each in (one, other):
        assert common.permissions <= each.permissions
        assert common.airflow_role is None or (
            each.airflow_role is not None and each.airflow_role.includes(common.airflow_role)
        )
        assert all(each.holds_on(place) for place in DEPLOYMENTS if common.holds_on(place))


def test_the_search_meets_those_who_may_and_those_who_may_not() -> None:
    """A search that never met one who may make a role would show nothing."""
    met: set[tuple[bool, bool]] = set()

    @_search
    @given(principal=principals, role=custom_roles)
    def look(principal: Principal, role: CustomRole) -> None:
        met.add((may_define(principal, role), principal.limits is None))

    look()
    assert met == {(True, True), (True, False), (False, True), (False, False)}
