"""The part of the platform's client that is about people: users, teams, roles, invites, sign-in and from where."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from tradewind.client.api_client import ApiClient
from tradewind_protocol import operator, organization, people, platform

_ADDRESSES: Final = "/organization/allowed-addresses"


class PeopleClient(ApiClient):
    """Every method raises Refused when the platform says no and Unreachable when none answers."""

    def users(self, **filters: Any) -> operator.Page[people.UserView]:
        return self._ask(operator.Page[people.UserView], "GET", "/users", params=filters)

    def user(self, reference: str) -> people.UserView:
        return self._ask(people.UserView, "GET", _path("users", reference))

    def change_user(self, reference: str, ask: people.ChangeUser, *, reason: str = "") -> people.UserView:
        path = _path("users", reference)
        return self._ask(people.UserView, "PATCH", path, ask, params={"reason": reason})

    def end_sessions(self, reference: str, *, reason: str = "") -> None:
        self._request("DELETE", f"{_path('users', reference)}/sessions", params={"reason": reason})

    def teams(self, **filters: Any) -> operator.Page[people.TeamView]:
        return self._ask(operator.Page[people.TeamView], "GET", "/teams", params=filters)

    def team(self, reference: str) -> people.TeamView:
        return self._ask(people.TeamView, "GET", _path("teams", reference))

    def create_team(self, ask: people.NewTeam, *, reason: str = "") -> people.TeamView:
        return self._ask(people.TeamView, "POST", "/teams", ask, params={"reason": reason})

    def delete_team(self, reference: str, *, reason: str = "") -> None:
        self._request("DELETE", _path("teams", reference), params={"reason": reason})

    def add_member(self, team: str, ask: people.AddMember, *, reason: str = "") -> people.TeamView:
        path = f"{_path('teams', team)}/members"
        return self._ask(people.TeamView, "POST", path, ask, params={"reason": reason})

    def remove_member(self, team: str, user: str, *, reason: str = "") -> people.TeamView:
        path = f"{_path('teams', team)}{_path('members', user)}"
        return self._ask(people.TeamView, "DELETE", path, params={"reason": reason})

    def roles(self) -> people.RoleMatrix:
        return self._ask(people.RoleMatrix, "GET", "/roles")

    def role(self, name: str) -> people.RoleView:
        return self._ask(people.RoleView, "GET", _path("roles", name))

    def create_role(self, ask: people.NewRole, *, reason: str = "") -> people.RoleView:
        return self._ask(people.RoleView, "POST", "/roles", ask, params={"reason": reason})

    def change_role(
        self, name: str, ask: people.ChangeRole, *, if_revision: int, reason: str = ""
    ) -> people.RoleView:
        """Only the fields that `ask` was made with change. Raises Refused CONFLICT when the role has another revision."""
        headers = {platform.IF_MATCH_HEADER: f'"{if_revision}"'}
        path = _path("roles", name)
        return self._ask(
            people.RoleView,
            "PATCH",
            path,
            ask,
            params={"reason": reason},
            headers=headers,
            exclude_unset=True,
        )

    def delete_role(self, name: str, *, reason: str = "") -> None:
        self._request("DELETE", _path("roles", name), params={"reason": reason})

    def permission_groups(self) -> people.PermissionGroups:
        return self._ask(people.PermissionGroups, "GET", "/authorization/permission-groups")

    def role_bindings(self, **filters: Any) -> operator.Page[people.RoleBindingView]:
        return self._ask(operator.Page[people.RoleBindingView], "GET", "/role-bindings", params=filters)

    def bind_role(self, ask: people.BindRole, *, reason: str = "") -> people.RoleBindingView:
        return self._ask(people.RoleBindingView, "POST", "/role-bindings", ask, params={"reason": reason})

    def unbind_role(self, id: str, *, reason: str = "") -> None:
        self._request("DELETE", _path("role-bindings", id), params={"reason": reason})

    def explain_access(self, user: str, **target: str) -> people.AccessExplanation:
        return self._ask(people.AccessExplanation, "GET", _path("access", user), params=target)

    def invites(self, **filters: Any) -> operator.Page[people.InviteView]:
        return self._ask(operator.Page[people.InviteView], "GET", "/invites", params=filters)

    def invite(self, ask: people.NewInvite, *, reason: str = "") -> people.InviteView:
        return self._ask(people.InviteView, "POST", "/invites", ask, params={"reason": reason})

    def withdraw_invite(self, id: str, *, reason: str = "") -> None:
        self._request("DELETE", _path("invites", id), params={"reason": reason})

    def sign_in_settings(self) -> people.SignInView:
        return self._ask(people.SignInView, "GET", "/organization/sign-in")

    def put_sign_in_settings(self, ask: people.SignInSettings, *, reason: str = "") -> people.SignInView:
        return self._ask(people.SignInView, "PUT", "/organization/sign-in", ask, params={"reason": reason})

    def activate_sign_in_settings(self, *, reason: str = "") -> people.SignInView:
        path = "/organization/sign-in/activate"
        return self._ask(people.SignInView, "POST", path, params={"reason": reason})

    def delete_sign_in_settings(self, *, reason: str = "") -> None:
        self._request("DELETE", "/organization/sign-in", params={"reason": reason})

    def scim(self) -> people.ScimView:
        return self._ask(people.ScimView, "GET", "/organization/scim")

    def create_scim_token(self, ask: people.NewScimToken, *, reason: str = "") -> people.ScimTokenCreated:
        path = "/organization/scim/token"
        return self._ask(people.ScimTokenCreated, "POST", path, ask, params={"reason": reason})

    def revoke_scim_token(self, *, reason: str = "") -> None:
        self._request("DELETE", "/organization/scim/token", params={"reason": reason})

    def organization_addresses(self) -> organization.OrganizationAllowedAddresses:
        return self._ask(organization.OrganizationAllowedAddresses, "GET", _ADDRESSES)

    def set_organization_addresses(
        self, ask: organization.SetOrganizationAllowedAddresses, *, if_revision: int, reason: str = ""
    ) -> organization.OrganizationAllowedAddresses:
        """Raises Refused CONFLICT when the list has another revision, and for one without the caller's own address."""
        headers = {platform.IF_MATCH_HEADER: f'"{if_revision}"'}
        answer = organization.OrganizationAllowedAddresses
        return self._ask(answer, "PUT", _ADDRESSES, ask, params={"reason": reason}, headers=headers)


def _path(kind: str, reference: str) -> str:
    return f"/{kind}/{quote(reference, safe='')}"
