"""The operator API as a typed, synchronous client."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx
from pydantic import ValidationError

from tradewind.client.foreign_responses import explained, unreachable
from tradewind.errors import BadUsage, NotSignedIn, Refused, Unreachable
from tradewind_protocol import errors, operator, paths
from tradewind_protocol.messages import Message

Received = TypeVar("Received", bound=Message)

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class OperatorClient:
    """What a person can ask of one plane.

    A context manager. Every method raises Refused when the plane says no and Unreachable when no plane answers.
    `plane` may carry a path prefix: "https://host/deployment".
    """

    def __init__(
        self,
        plane: str,
        *,
        token: str | None = None,
        ca_file: str | None = None,
        transport: httpx.BaseTransport | None = None,
        sign_in_again: Callable[[OperatorClient], str] | None = None,
    ) -> None:
        self.plane = checked_url(plane)
        self._sign_in_again = sign_in_again  # asked once for a token when the plane says 401
        self._http = httpx.Client(
            timeout=_TIMEOUT, transport=transport, verify=_verification(ca_file), follow_redirects=False
        )
        self.token = token

    def __enter__(self) -> OperatorClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # ---- signing in

    def sign_in(self, username: str, password: str) -> str:
        """An Airflow API token for that user; later requests of this client carry it."""
        answer = self._send("POST", "/auth/token", json={"username": username, "password": password})
        if answer.status_code in (400, 401, 403, 422):
            raise NotSignedIn(
                f"{self.plane} does not accept that password for {username!r}",
                remedy="Check user name and password. Who signs in to Airflow by single sign-on has no password there: give "
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

    # ---- how

    def _ask(
        self,
        kind: type[Received],
        method: str,
        path: str,
        message: Message | None = None,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> Received:
        answer = self._request(method, path, message, params=params)
        try:
            return kind.model_validate(self._body(answer))
        except ValidationError:
            # not chained: pydantic quotes its input, and one of these answers carries a token
            raise self._not_a_plane(answer) from None

    def _request(
        self,
        method: str,
        path: str,
        message: Message | None = None,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        content = {
            "json": None if message is None else message.model_dump(mode="json"),
            "params": {key: value for key, value in (params or {}).items() if value not in (None, "", ())},
        }
        answer = self._send(method, paths.OPERATOR_PREFIX + path, **content)
        if answer.status_code == 401 and self._sign_in_again is not None:
            again, self._sign_in_again = self._sign_in_again, None
            self.token = again(self)
            answer = self._send(method, paths.OPERATOR_PREFIX + path, **content)
        if answer.is_success:
            return answer
        try:
            refusal = errors.Refusal.model_validate_json(answer.content)
        except ValidationError:
            raise self._not_a_plane(answer) from None
        raise Refused(refusal)

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            return self._http.request(method, self.plane + path, headers=headers, **content)
        except httpx.TransportError as problem:
            raise unreachable(self.plane, problem) from problem

    def _body(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            body = answer.json()
        except ValueError:
            raise self._not_a_plane(answer) from None
        if not isinstance(body, dict):
            raise self._not_a_plane(answer)
        return cast("dict[str, Any]", body)

    def _not_a_plane(self, answer: httpx.Response) -> Unreachable:
        return explained(self.plane, answer, airflow=self._version_of_airflow())

    def _version_of_airflow(self) -> str:
        """Of the Airflow that answers there; empty when none does."""
        try:
            answer = self._http.get(self.plane + "/api/v2/version")
            return str(answer.json()["version"]) if answer.is_success else ""
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return ""


def checked_url(text: str) -> str:
    """The plane's address without a slash at the end. Raises BadUsage when it is not an http(s) URL."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadUsage(f"{text!r} is not the address of a plane, such as https://airflow.example.com")
    if parts.username or parts.password:
        raise BadUsage("the plane's address must not carry a user name or a password")
    return text.strip().split("?")[0].split("#")[0].rstrip("/")


def _verification(ca_file: str | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as problem:
        raise BadUsage(f"the CA file {ca_file} cannot be used: {problem}") from problem
