"""Who may do what: the table that was agreed on, and the rules of scopes."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from tradewind_platform.domain.custom_roles import CustomRole, may_define
from tradewind_platform.domain.deployment_access import DeploymentAccess
from tradewind_platform.domain.roles import (
    ORGANIZATION,
    AirflowRole,
    Binding,
    Permission,
    Principal,
    Role,
    Target,
)

# The table, a column for each role. w: every permission of the row; r: those that read; names: just these; -: none.
ROLES = "org_owner org_auditor org_member ws_owner ws_operator ws_author ws_viewer dep_admin dep_operator dep_author dep_viewer"
TABLE = """
organization.get organization.update clusters.get clusters.update    w r - - - - - - - - -
members.get members.update                                           w r r w - - - w - - -
apiTokens.get apiTokens.update                                       w r - w - - - w - - -
audit.get                                                            w w - w - - - w - - -
workspace.create                                                     w - - - - - - - - - -
workspace.update workspace.delete                                    w - - w - - - - - - -
workspace.get                                                        w w - w w w w - - - -
deployment.get deployment.create deployment.delete deployment.upgrade w r - w w r r w r r r
deployment.hibernate                                                 w - - w w - - w w - -
deployment.config.get deployment.config.update                       w r - w w r - w w r -
deployment.config.values.get                                         w - - w w w - w w w -
deployment.agentTokens.get deployment.agentTokens.create             w r - w r - - w r - -
deployment.agentTokens.update deployment.agentTokens.delete          w - - w - - - w - - -
deployment.allowList.get deployment.allowList.update                 w r - w r - - w r - -
deployment.agents.get deployment.agents.update                       w r - w w r r w w r r
deployment.sites.get deployment.sites.update                         w r - w r - - w r - -
deployment.deploys.create                                            w - - w w - - w w - -
"""
AIRFLOW = "ADMIN VIEWER - ADMIN OP USER VIEWER ADMIN OP USER VIEWER"

W, OTHER_W, D, OTHER_D = (UUID(int=number) for number in range(1, 5))
WORKSPACE, DEPLOYMENT = Target(W), Target(W, D)


def role_named(short: str) -> Role:
    return Role(
        short.replace("org_", "organization_").replace("ws_", "workspace_").replace("dep_", "deployment_")
    )


def rows() -> list[tuple[list[str], list[str]]]:
    found = []
    for line in TABLE.strip().splitlines():
        words = line.split()
        names = [word for word in words if "." in word]
        found.append((names, words[len(names) :]))
    return found


@pytest.mark.parametrize("short", ROLES.split())
def test_each_role_allows_what_the_table_says_and_nothing_else(short: str) -> None:
    column = ROLES.split().index(short)
    expected = set()
    for names, cells in rows():
        reads = {name for name in names if name.endswith(".get")}
        expected |= {"w": set(names), "r": reads, "-": set()}[cells[column]]
    assert {one.value for one in role_named(short).permissions} == expected
    airflow = AIRFLOW.split()[column]
    assert role_named(short).airflow_role is (None if airflow == "-" else AirflowRole(airflow))


def test_the_table_has_every_permission() -> None:
    assert {name for names, _ in rows() for name in names} == {one.value for one in Permission}


def bound(role: Role, scope: Target) -> Principal:
    return Principal("user", UUID(int=9), "ada", (Binding(role, scope),))


@pytest.mark.parametrize(
    ("principal", "target", "allowed"),
    [
        (bound(Role.ORGANIZATION_OWNER, ORGANIZATION), DEPLOYMENT, True),
        (bound(Role.WORKSPACE_OWNER, WORKSPACE), DEPLOYMENT, True),
        (bound(Role.WORKSPACE_OWNER, WORKSPACE), Target(OTHER_W, OTHER_D), False),
        (bound(Role.WORKSPACE_OWNER, WORKSPACE), ORGANIZATION, False),
        (bound(Role.DEPLOYMENT_ADMIN, DEPLOYMENT), DEPLOYMENT, True),
        (bound(Role.DEPLOYMENT_ADMIN, DEPLOYMENT), Target(W, OTHER_D), False),
        (bound(Role.DEPLOYMENT_ADMIN, DEPLOYMENT), WORKSPACE, False),
    ],
)
def test_a_role_holds_in_its_scope_and_below(principal: Principal, target: Target, allowed: bool) -> None:
    assert principal.may(Permission.DEPLOYMENT_DELETE, target) is allowed


def test_a_role_is_bound_to_its_own_level_only() -> None:
    with pytest.raises(ValueError, match="workspace_owner is bound to a workspace, not to the organization"):
        Binding(Role.WORKSPACE_OWNER, ORGANIZATION)


def test_a_personal_token_never_has_more_than_its_owner_has_now() -> None:
    token = (Binding(Role.WORKSPACE_OWNER, WORKSPACE),)
    demoted = (Binding(Role.WORKSPACE_VIEWER, WORKSPACE),)
    principal = Principal("token", UUID(int=8), "ci", token, limits=demoted)
    assert principal.permissions(DEPLOYMENT) == Role.WORKSPACE_VIEWER.permissions
    assert principal.airflow_role(DEPLOYMENT) is AirflowRole.VIEWER
    removed = Principal("token", UUID(int=8), "ci", token, limits=())
    assert removed.permissions(DEPLOYMENT) == frozenset() and removed.airflow_role(DEPLOYMENT) is None


@pytest.mark.parametrize(
    ("giver", "given", "allowed"),
    [
        (bound(Role.WORKSPACE_OWNER, WORKSPACE), Binding(Role.WORKSPACE_OWNER, WORKSPACE), True),
        (bound(Role.WORKSPACE_OWNER, WORKSPACE), Binding(Role.DEPLOYMENT_ADMIN, DEPLOYMENT), True),
        (bound(Role.WORKSPACE_OWNER, WORKSPACE), Binding(Role.WORKSPACE_VIEWER, Target(OTHER_W)), False),
        (bound(Role.WORKSPACE_OWNER, WORKSPACE), Binding(Role.ORGANIZATION_MEMBER, ORGANIZATION), False),
        (bound(Role.WORKSPACE_OPERATOR, WORKSPACE), Binding(Role.WORKSPACE_VIEWER, WORKSPACE), False),
        (bound(Role.DEPLOYMENT_ADMIN, DEPLOYMENT), Binding(Role.DEPLOYMENT_ADMIN, DEPLOYMENT), True),
        (
            bound(Role.ORGANIZATION_MEMBER, ORGANIZATION),
            Binding(Role.ORGANIZATION_MEMBER, ORGANIZATION),
            False,
        ),
    ],
)
def test_a_role_is_given_by_one_who_has_all_of_it_and_may_change_members(
    giver: Principal, given: Binding, allowed: bool
) -> None:
    assert giver.may_grant(given) is allowed


@pytest.mark.parametrize("role", Role, ids=lambda one: one.value)
def test_a_built_in_role_may_no_more_on_the_operator_api_than_it_allows(role: Role) -> None:
    """So who may not have a permission by a role does not get it by the role's role in Airflow either."""
    assert role.operator_permissions <= role.permissions


W_ROLE = CustomRole(
    "on-call", frozenset({Permission.DEPLOYMENT_GET, Permission.AGENTS_UPDATE}), AirflowRole.OP
)


@pytest.mark.parametrize(
    ("maker", "workspaces", "allowed"),
    [
        (bound(Role.ORGANIZATION_OWNER, ORGANIZATION), None, True),
        (bound(Role.ORGANIZATION_OWNER, ORGANIZATION), {W, OTHER_W}, True),
        (bound(Role.WORKSPACE_OWNER, WORKSPACE), {W}, True),
        (bound(Role.WORKSPACE_OWNER, WORKSPACE), {W, OTHER_W}, False),
        (bound(Role.WORKSPACE_OWNER, WORKSPACE), None, False),
        (bound(Role.WORKSPACE_OWNER, WORKSPACE), set(), False),
        (bound(Role.WORKSPACE_OPERATOR, WORKSPACE), {W}, False),
        (bound(Role.DEPLOYMENT_ADMIN, DEPLOYMENT), {W}, False),
    ],
)
def test_a_custom_role_is_made_by_one_who_could_give_it_everywhere(
    maker: Principal, workspaces: set[UUID] | None, allowed: bool
) -> None:
    role = replace(W_ROLE, workspaces=None if workspaces is None else frozenset(workspaces))
    assert may_define(maker, role) is allowed


def test_two_definitions_of_a_role_have_in_common_what_both_allow() -> None:
    other = CustomRole("on-call", frozenset({Permission.DEPLOYMENT_GET}), AirflowRole.VIEWER, frozenset({W}))
    assert W_ROLE.narrowed(other) == other == other.narrowed(W_ROLE)
    assert replace(other, airflow_role=None).narrowed(W_ROLE).airflow_role is None
    elsewhere = replace(W_ROLE, workspaces=frozenset({OTHER_W}))
    assert elsewhere.narrowed(other).workspaces == frozenset()
    assert not elsewhere.narrowed(other).holds_on(DEPLOYMENT)


@pytest.mark.parametrize(
    ("airflow", "permissions", "alone"),
    [
        (
            AirflowRole.OP,
            {"agents.get", "agents.update", "agentTokens.get", "allowList.get", "sites.get"},
            "OP",
        ),
        (AirflowRole.OP, {"agents.get", "agents.update", "agentTokens.get"}, "USER"),
        (AirflowRole.VIEWER, {"agents.get", "agentTokens.create"}, "VIEWER"),
        (AirflowRole.ADMIN, {"agentTokens.create"}, "LIMITED"),
        (None, {"agents.get", "agentTokens.create"}, "LIMITED"),
    ],
    ids=["an operator", "less than an operator", "a viewer and more", "no viewer", "no role in Airflow"],
)
def test_an_api_server_that_knows_roles_in_airflow_only_is_told_less_and_never_more(
    airflow: AirflowRole | None, permissions: set[str], alone: str
) -> None:
    named = frozenset(Permission(f"deployment.{one}") for one in permissions)
    access = DeploymentAccess(airflow, named, audit=False)
    told = access.on_the_wire()
    assert told["role"] == alone
    if alone == "OP":
        assert "permissions" not in told
    else:
        assert told["permissions"] == sorted(one.value for one in named)
        assert told["airflow_role"] == (None if airflow is None else airflow.value)


def test_a_role_on_a_deployment_shows_that_its_workspace_exists_and_nothing_else_of_it() -> None:
    principal = bound(Role.DEPLOYMENT_VIEWER, DEPLOYMENT)
    assert principal.sees_workspace(W) and not principal.sees_workspace(OTHER_W)
    assert principal.permissions(WORKSPACE) == frozenset()
