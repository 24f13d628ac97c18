"""The platform's API as a typed, synchronous client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from tradewind.client.deploys_client import DeploysClient
from tradewind.errors import CommandError
from tradewind_protocol import access, operator, platform, platform_life
from tradewind_protocol import clusters as cluster_messages


class PlatformClient(DeploysClient):
    """What a user can ask of a platform. Every method raises Refused when it says no and Unreachable when none answers."""

    prefix = platform.PREFIX
    kind = "platform"

    def me(self) -> platform.Me:
        return self._ask(platform.Me, "GET", "/me")

    # ---- workspaces, clusters

    def workspaces(self, **filters: Any) -> operator.Page[platform.WorkspaceView]:
        return self._ask(operator.Page[platform.WorkspaceView], "GET", "/workspaces", params=filters)

    def create_workspace(self, ask: platform.NewWorkspace, *, reason: str = "") -> platform.WorkspaceView:
        return self._ask(platform.WorkspaceView, "POST", "/workspaces", ask, params={"reason": reason})

    def workspace(self, reference: str) -> platform.WorkspaceView:
        return self._ask(platform.WorkspaceView, "GET", _workspace(reference))

    def change_workspace(
        self,
        reference: str,
        ask: platform.ChangeWorkspace,
        *,
        if_revision: int | None = None,
        reason: str = "",
    ) -> platform.WorkspaceView:
        """Only the fields that `ask` was made with change."""
        headers = {} if if_revision is None else {platform.IF_MATCH_HEADER: f'"{if_revision}"'}
        return self._ask(
            platform.WorkspaceView,
            "PATCH",
            _workspace(reference),
            ask,
            params={"reason": reason},
            headers=headers,
            exclude_unset=True,
        )

    def delete_workspace(self, reference: str, *, reason: str = "") -> None:
        self._request("DELETE", _workspace(reference), params={"reason": reason})

    def workspace_clusters(
        self, workspace: str, **filters: Any
    ) -> operator.Page[platform.WorkspaceClusterView]:
        """Those that Deployments of the workspace may run in."""
        page = operator.Page[platform.WorkspaceClusterView]
        return self._ask(page, "GET", f"{_workspace(workspace)}/clusters", params=filters)

    def clusters(self, **filters: Any) -> operator.Page[platform.ClusterView]:
        return self._ask(operator.Page[platform.ClusterView], "GET", "/clusters", params=filters)

    def cluster(self, reference: str) -> platform.ClusterView:
        return self._ask(platform.ClusterView, "GET", _cluster(reference))

    def create_cluster(
        self, ask: cluster_messages.NewCluster, *, reason: str = ""
    ) -> cluster_messages.ClusterCreated:
        return self._ask(cluster_messages.ClusterCreated, "POST", "/clusters", ask, params={"reason": reason})

    def change_cluster(
        self,
        reference: str,
        ask: cluster_messages.ChangeCluster,
        *,
        if_revision: int | None = None,
        reason: str = "",
    ) -> platform.ClusterView:
        """Only the fields that `ask` was made with change."""
        headers = {} if if_revision is None else {platform.IF_MATCH_HEADER: f'"{if_revision}"'}
        return self._ask(
            platform.ClusterView,
            "PATCH",
            _cluster(reference),
            ask,
            params={"reason": reason},
            headers=headers,
            exclude_unset=True,
        )

    def delete_cluster(self, reference: str, *, reason: str = "") -> None:
        self._request("DELETE", _cluster(reference), params={"reason": reason})

    def rotate_cluster_token(
        self, reference: str, ask: cluster_messages.RotateClusterToken, *, reason: str = ""
    ) -> cluster_messages.ClusterTokenCreated:
        path = f"{_cluster(reference)}/token/rotate"
        return self._ask(cluster_messages.ClusterTokenCreated, "POST", path, ask, params={"reason": reason})

    def revoke_cluster_token(self, reference: str, *, reason: str = "") -> None:
        self._request("DELETE", f"{_cluster(reference)}/token", params={"reason": reason})

    # ---- Deployments

    def deployments(self, **filters: Any) -> operator.Page[platform.DeploymentView]:
        return self._ask(operator.Page[platform.DeploymentView], "GET", "/deployments", params=filters)

    def deployment(self, reference: str) -> platform.DeploymentView:
        return self._ask(platform.DeploymentView, "GET", _deployment(reference))

    def create_deployment(self, ask: platform.NewDeployment, *, reason: str = "") -> platform.DeploymentView:
        return self._ask(platform.DeploymentView, "POST", "/deployments", ask, params={"reason": reason})

    def change_deployment(
        self,
        reference: str,
        ask: platform.ChangeDeployment,
        *,
        if_revision: int | None = None,
        reason: str = "",
    ) -> platform.DeploymentView:
        """Only the fields that `ask` was made with change."""
        headers = {} if if_revision is None else {platform.IF_MATCH_HEADER: f'"{if_revision}"'}
        return self._ask(
            platform.DeploymentView,
            "PATCH",
            _deployment(reference),
            ask,
            params={"reason": reason},
            headers=headers,
            exclude_unset=True,
        )

    def move_deployment(
        self,
        reference: str,
        ask: platform.MoveDeployment,
        *,
        if_revision: int | None = None,
        reason: str = "",
    ) -> platform.DeploymentView:
        headers = {} if if_revision is None else {platform.IF_MATCH_HEADER: f'"{if_revision}"'}
        path = f"{_deployment(reference)}/move"
        return self._ask(
            platform.DeploymentView, "POST", path, ask, params={"reason": reason}, headers=headers
        )

    def delete_deployment(self, reference: str, *, reason: str = "") -> platform.OperationView:
        return self._ask(platform.OperationView, "DELETE", _deployment(reference), params={"reason": reason})

    def component_log(self, reference: str, component: str, *, lines: int) -> platform_life.ComponentLogView:
        path = f"{_deployment(reference)}/logs/{quote(component, safe='')}"
        return self._ask(platform_life.ComponentLogView, "GET", path, params={"lines": lines})

    def restore_deployment(self, reference: str, *, reason: str = "") -> platform.OperationView:
        path = f"{_deployment(reference)}/restore"
        return self._ask(platform.OperationView, "POST", path, params={"reason": reason})

    def purge_deployment(self, reference: str, name: str, *, reason: str = "") -> platform.OperationView:
        path, ask = f"{_deployment(reference)}/purge", platform.PurgeDeployment(name=name)
        return self._ask(platform.OperationView, "POST", path, ask, params={"reason": reason})

    # ---- hibernation

    def hibernation(self, reference: str) -> platform_life.HibernationView:
        return self._ask(platform_life.HibernationView, "GET", f"{_deployment(reference)}/hibernation")

    def set_hibernation(
        self, reference: str, ask: platform_life.ChangeHibernation, *, reason: str = ""
    ) -> platform_life.HibernationView:
        path = f"{_deployment(reference)}/hibernation"
        return self._ask(platform_life.HibernationView, "PUT", path, ask, params={"reason": reason})

    def hibernate(
        self, reference: str, ask: platform_life.Hibernate, *, reason: str = ""
    ) -> platform.OperationView:
        path = f"{_deployment(reference)}/hibernate"
        return self._ask(platform.OperationView, "POST", path, ask, params={"reason": reason})

    def wake_up(
        self, reference: str, ask: platform_life.WakeUp, *, reason: str = ""
    ) -> platform.OperationView:
        path = f"{_deployment(reference)}/wake"
        return self._ask(platform.OperationView, "POST", path, ask, params={"reason": reason})

    # ---- versions and backups

    def releases(self, **filters: Any) -> operator.Page[platform_life.ReleaseView]:
        return self._ask(operator.Page[platform_life.ReleaseView], "GET", "/releases", params=filters)

    def upgrade(
        self, reference: str, ask: platform_life.Upgrade, *, reason: str = ""
    ) -> platform.OperationView:
        path = f"{_deployment(reference)}/upgrade"
        return self._ask(platform.OperationView, "POST", path, ask, params={"reason": reason})

    def backups(self, reference: str, **filters: Any) -> operator.Page[platform_life.BackupView]:
        path = f"{_deployment(reference)}/backups"
        return self._ask(operator.Page[platform_life.BackupView], "GET", path, params=filters)

    def create_backup(
        self, reference: str, ask: platform_life.NewBackup, *, reason: str = ""
    ) -> platform.OperationView:
        path = f"{_deployment(reference)}/backups"
        return self._ask(platform.OperationView, "POST", path, ask, params={"reason": reason})

    def restore_backup(
        self, reference: str, backup: str, ask: platform_life.RestoreBackup, *, reason: str = ""
    ) -> platform.OperationView:
        path = f"{_deployment(reference)}/backups/{quote(backup, safe='')}/restore"
        return self._ask(platform.OperationView, "POST", path, ask, params={"reason": reason})

    # ---- maintenance

    def maintenance(self, reference: str) -> platform_life.MaintenanceView:
        return self._ask(platform_life.MaintenanceView, "GET", f"{_deployment(reference)}/maintenance")

    def change_maintenance(
        self, reference: str, ask: platform_life.ChangeMaintenance, *, reason: str = ""
    ) -> platform_life.MaintenanceView:
        """Only the fields that `ask` was made with change."""
        return self._ask(
            platform_life.MaintenanceView,
            "PATCH",
            f"{_deployment(reference)}/maintenance",
            ask,
            params={"reason": reason},
            exclude_unset=True,
        )

    def clean_up(
        self, reference: str, ask: platform_life.CleanUp, *, reason: str = ""
    ) -> platform.OperationView:
        path = f"{_deployment(reference)}/clean-up"
        return self._ask(platform.OperationView, "POST", path, ask, params={"reason": reason})

    # ---- configuration in layers; a scope is `deployments/NAME`, `workspaces/NAME` or `clusters/NAME`

    def options(self, scope: str, **filters: Any) -> operator.Page[platform_life.OptionView]:
        path = f"/{_scope(scope)}/configuration"
        return self._ask(operator.Page[platform_life.OptionView], "GET", path, params=filters)

    def set_option(
        self, scope: str, option: str, ask: platform_life.SetOption, *, reason: str = ""
    ) -> platform_life.OptionView:
        path = f"/{_scope(scope)}/configuration/{quote(option, safe='')}"
        return self._ask(platform_life.OptionView, "PUT", path, ask, params={"reason": reason})

    def unset_option(self, scope: str, option: str, *, reason: str = "") -> None:
        path = f"/{_scope(scope)}/configuration/{quote(option, safe='')}"
        self._request("DELETE", path, params={"reason": reason})

    def variables(self, scope: str, **filters: Any) -> operator.Page[platform_life.VariableView]:
        path = f"/{_scope(scope)}/variables"
        return self._ask(operator.Page[platform_life.VariableView], "GET", path, params=filters)

    def set_variable(
        self, scope: str, name: str, ask: platform_life.SetVariable, *, reason: str = ""
    ) -> platform_life.VariableView:
        path = f"/{_scope(scope)}/variables/{quote(name, safe='')}"
        return self._ask(platform_life.VariableView, "PUT", path, ask, params={"reason": reason})

    def set_variables(self, scope: str, ask: platform_life.SetVariables, *, reason: str = "") -> None:
        self._request("PATCH", f"/{_scope(scope)}/variables", ask, params={"reason": reason})

    def unset_variable(self, scope: str, name: str, *, reason: str = "") -> None:
        path = f"/{_scope(scope)}/variables/{quote(name, safe='')}"
        self._request("DELETE", path, params={"reason": reason})

    def apply_configuration(self, reference: str, *, reason: str = "") -> platform.OperationView:
        path = f"{_deployment(reference)}/apply"
        return self._ask(platform.OperationView, "POST", path, params={"reason": reason})

    def address_of(self, reference: str) -> str:
        """Where the Airflow of a Deployment is asked through the platform."""
        return f"{self.plane}{self.prefix}{_deployment(reference)}/airflow"

    # ---- operations

    def operations(self, **filters: Any) -> operator.Page[platform.OperationView]:
        return self._ask(operator.Page[platform.OperationView], "GET", "/operations", params=filters)

    def operation(self, reference: str) -> platform.OperationView:
        return self._ask(platform.OperationView, "GET", f"/operations/{quote(reference, safe='')}")

    def retry_operation(self, reference: str, *, reason: str = "") -> platform.OperationView:
        path = f"/operations/{quote(reference, safe='')}/retry"
        return self._ask(platform.OperationView, "POST", path, params={"reason": reason})

    def cancel_operation(self, reference: str, *, reason: str = "") -> platform.OperationView:
        path = f"/operations/{quote(reference, safe='')}/cancel"
        return self._ask(platform.OperationView, "POST", path, params={"reason": reason})

    # ---- API tokens, audit

    def api_tokens(self, **filters: Any) -> operator.Page[platform.ApiTokenView]:
        return self._ask(operator.Page[platform.ApiTokenView], "GET", "/api-tokens", params=filters)

    def create_api_token(self, ask: platform.NewApiToken, *, reason: str = "") -> platform.ApiTokenCreated:
        return self._ask(platform.ApiTokenCreated, "POST", "/api-tokens", ask, params={"reason": reason})

    def rotate_api_token(
        self, reference: str, ask: platform.RotateApiToken, *, reason: str = ""
    ) -> platform.ApiTokenCreated:
        path = f"/api-tokens/{quote(reference, safe='')}/rotate"
        return self._ask(platform.ApiTokenCreated, "POST", path, ask, params={"reason": reason})

    def delete_api_token(self, reference: str, *, reason: str = "") -> None:
        self._request("DELETE", f"/api-tokens/{quote(reference, safe='')}", params={"reason": reason})

    def redeem_terminal_code(self, code: str, *, redirect_uri: str, verifier: str) -> access.TerminalToken:
        """The token that a code stands for. Raises CommandError for a code that the platform does not take."""
        form = {
            "grant_type": "authorization_code",
            "client_id": access.TERMINAL_CLIENT,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        answer = self._send("POST", access.TOKEN_PATH, data=form)
        if answer.status_code == 400:
            raise CommandError(
                "the platform does not take the code of this sign-in", remedy="Run `tradewind login` again."
            )
        try:
            return access.TerminalToken.model_validate(self._body(answer))
        except ValidationError:
            raise self._not_a_plane(answer) from None  # not chained: it would quote the token

    def audit(self, **filters: Any) -> operator.Page[platform.AuditEventView]:
        return self._ask(operator.Page[platform.AuditEventView], "GET", "/audit", params=filters)

    def audit_export(self, **filters: Any) -> Iterator[str]:
        """Each event as a line of JSON, the oldest first, as it arrives."""
        return self._lines("/audit/export", params=filters)


def _scope(scope: str) -> str:
    kind, _, name = scope.partition("/")
    return f"{kind}/{quote(name, safe='')}"


def _deployment(reference: str) -> str:
    return f"/deployments/{quote(reference, safe='')}"


def _workspace(reference: str) -> str:
    return f"/workspaces/{quote(reference, safe='')}"


def _cluster(reference: str) -> str:
    return f"/clusters/{quote(reference, safe='')}"
