"""The operator API as a typed, synchronous client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from tradewind.client.api_client import ApiClient
from tradewind.errors import NotSignedIn, Refused
from tradewind_protocol import errors, operator, paths
from tradewind_protocol.messages import Message


class OperatorClient(ApiClient):
    """What a person can ask of one plane.

    A context manager. Every method raises Refused when the plane says no and Unreachable when no plane answers.
    `plane` may carry a path prefix: "https://host/deployment".
    """

    prefix = paths.OPERATOR_PREFIX

    # ---- signing in

    def sign_in(self, username: str, password: str) -> str:
        """An Airflow API token for that user; later requests of this client carry it."""
        answer = self._send("POST", "/auth/token", json={"username": username, "password": password})
        if answer.status_code in (400, 401, 403, 422):
            raise NotSignedIn(
                f"{self.plane} does not accept that password for {username!r}",
                remedy="Check user name and password. A user of single sign-on has no password there: give "
                "an API token, with --token-stdin or TRADEWIND_API_TOKEN.",
            )
        body = self._body(answer)
        token = body.get("access_token")
        if not isinstance(token, str):
            raise self._not_a_plane(answer)
        self.token = token
        return token

    # ---- agent tokens

    def create_token(self, ask: operator.NewToken) -> operator.TokenCreated:
        return self._ask(operator.TokenCreated, "POST", "/tokens", ask)

    def tokens(self, **filters: Any) -> operator.Page[operator.TokenView]:
        return self._ask(operator.Page[operator.TokenView], "GET", "/tokens", params=filters)

    def token_view(self, token_id: UUID) -> operator.TokenView:
        return self._ask(operator.TokenView, "GET", f"/tokens/{token_id}")

    def delete_token(self, token_id: UUID, *, reason: str = "") -> None:
        self._request("DELETE", f"/tokens/{token_id}", params={"reason": reason})

    def rotate_token(self, token_id: UUID, ask: operator.RotateToken) -> operator.TokenCreated:
        return self._ask(operator.TokenCreated, "POST", f"/tokens/{token_id}/rotate", ask)

    # ---- allowed addresses

    def allowed_addresses(self) -> operator.AllowedAddresses:
        return self._ask(operator.AllowedAddresses, "GET", "/allowed-addresses")

    def set_allowed_addresses(self, ask: operator.SetAllowedAddresses) -> operator.AllowedAddresses:
        return self._ask(operator.AllowedAddresses, "PUT", "/allowed-addresses", ask)

    def connectivity(self, *, source: str = "", endpoint: str = "") -> operator.Connectivity:
        return self._ask(
            operator.Connectivity, "GET", "/connectivity", params={"source": source, "endpoint": endpoint}
        )

    # ---- site access

    def site_access(self, **filters: Any) -> operator.Page[operator.SiteGrantView]:
        return self._ask(operator.Page[operator.SiteGrantView], "GET", "/site-access", params=filters)

    def add_site_access(self, ask: operator.NewSiteGrant) -> operator.SiteGrantView:
        return self._ask(operator.SiteGrantView, "POST", "/site-access", ask)

    def remove_site_access(self, grant_id: UUID, *, reason: str = "") -> None:
        self._request("DELETE", f"/site-access/{grant_id}", params={"reason": reason})

    # ---- who asks

    def me(self) -> operator.Me:
        return self._ask(operator.Me, "GET", "/me")

    # ---- agents

    def agents(self, **filters: Any) -> operator.Page[operator.AgentView]:
        return self._ask(operator.Page[operator.AgentView], "GET", "/agents", params=filters)

    def agent(self, agent_id: UUID) -> operator.AgentView:
        return self._ask(operator.AgentView, "GET", f"/agents/{agent_id}")

    def change_agent(self, agent_id: UUID, verb: str, ask: Message) -> operator.AgentView:
        """`verb` is one of cordon, drain, resume, slots."""
        return self._ask(operator.AgentView, "POST", f"/agents/{agent_id}/{verb}", ask)

    def remove_agent(self, agent_id: UUID, *, reason: str = "") -> None:
        self._request("DELETE", f"/agents/{agent_id}", params={"reason": reason})

    # ---- attempts, queues, bundles, events

    def attempts(self, **filters: Any) -> operator.Page[operator.AttemptView]:
        return self._ask(operator.Page[operator.AttemptView], "GET", "/attempts", params=filters)

    def stop_attempt(self, attempt_id: UUID, *, reason: str = "") -> operator.AttemptView:
        ask = operator.Reason(reason=reason)
        return self._ask(operator.AttemptView, "POST", f"/attempts/{attempt_id}/stop", ask)

    def start_run(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run by Airflow's own API; its state."""
        path = f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        answer = self._send("POST", path, json=body)
        if answer.is_error:
            detail = self._body(answer).get("detail")
            raise Refused(
                errors.Refused(
                    errors.Code.CONFLICT, f"the plane does not start run {run_id!r} of {dag_id!r}: {detail}"
                ).refusal
            )
        return str(self._body(answer).get("state"))

    def queues(self) -> operator.Page[operator.QueueView]:
        return self._ask(operator.Page[operator.QueueView], "GET", "/queues")

    def sentinels(self) -> operator.Page[operator.SentinelView]:
        return self._ask(operator.Page[operator.SentinelView], "GET", "/sentinels")

    def sentinel_findings(self, **filters: Any) -> operator.Page[operator.SentinelFindingView]:
        return self._ask(
            operator.Page[operator.SentinelFindingView], "GET", "/sentinels/findings", params=filters
        )

    def bundles(self, **filters: Any) -> operator.Page[operator.BundleView]:
        return self._ask(operator.Page[operator.BundleView], "GET", "/bundles", params=filters)

    def release_bundle(self, name: str, *, reason: str = "") -> None:
        self._request("POST", f"/bundles/{quote(name, safe='/')}/release", operator.Reason(reason=reason))

    def events(self, **filters: Any) -> operator.Page[operator.EventView]:
        return self._ask(operator.Page[operator.EventView], "GET", "/events", params=filters)
