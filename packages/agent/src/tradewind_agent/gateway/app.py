"""The gateway as a whole: authenticates each request and dispatches it by its path."""

from __future__ import annotations

import secrets as random_secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from tradewind_agent.access.local_secrets import Principal
from tradewind_agent.errors import AgentError, Fenced, PlaneUnreachable
from tradewind_agent.gateway import requests
from tradewind_agent.gateway.execution import ExecutionRequests
from tradewind_agent.gateway.interfaces import Plane, RequestQueue, Secrets
from tradewind_agent.gateway.ledger import Ledger
from tradewind_agent.gateway.policy import GatewayPolicy
from tradewind_agent.gateway.requests import ClientDisconnected, Receive, Reply, Scope, Send, refusal
from tradewind_agent.gateway.server import SocketServer
from tradewind_agent.gateway.verbs import VerbRequests, component_of
from tradewind_agent.rules import RuleRefusal
from tradewind_agent.state.sealing import SiteSealing
from tradewind_agent.state.site_key import SiteKey
from tradewind_agent.traces.spans import CONTENT_TYPE
from tradewind_protocol import paths
from tradewind_protocol.boundary import OwnRun, Read, Rejection
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.hosts import TRACES_PATH
from tradewind_protocol.sessions import Policy

log = structlog.get_logger(__name__)


class Gateway:
    """Serves the processes of task environments and attempts on a unix socket (mode 0600) from entering to leaving the context.

    Give `ledger` entered. Every request the plane client sends is written down from here on, the agent's own included.
    `sealing` has the keys that text which stays is digested and sealed with; without it they differ from start to start. `traces` takes spans of tasks to the site's own
    collector; they never go to the plane. `judge_trigger` says why the site's owner does not let a trigger run, and
    `judge_read` why not what an attempt asks the plane for.
    """

    def __init__(
        self,
        socket_path: Path,
        plane: Plane,
        policy: GatewayPolicy,
        ledger: Ledger,
        outbox: RequestQueue,
        secrets: Secrets,
        *,
        sealing: SiteSealing | None = None,
        socket_group: int | None = None,
        now: Callable[[], float] = time.time,
        traces: Callable[[bytes], None] | None = None,
        judge_trigger: Callable[[dict[str, Any]], RuleRefusal | None] = lambda trigger: None,
        judge_read: Callable[[Read, OwnRun | None], RuleRefusal | None] = lambda read, own: None,
    ) -> None:
        self.socket_path = socket_path
        self._plane = plane
        self._asked_for = policy
        self._policy = policy
        self._floor: Policy | None = None
        self._ledger = ledger
        self._secrets = secrets
        self._traces = traces
        sealing = sealing or SiteSealing(SiteKey(random_secrets.token_bytes(32)))
        self._execution = ExecutionRequests(
            plane=plane,
            rules=lambda: self.rules,
            ledger=ledger,
            outbox=outbox,
            sealing=sealing,
            now=now,
            judge_read=judge_read,
        )
        self._verbs = VerbRequests(
            plane=plane,
            rules=lambda: self.rules,
            ledger=ledger,
            sealing=sealing,
            judge_trigger=judge_trigger,
        )
        self._server = SocketServer(self, socket_path, group=socket_group)

    @property
    def rules(self) -> GatewayPolicy:
        """The rules in force: what the site asked for, or stricter when the Deployment wants it so."""
        session = self._plane.session
        if session is not None and session.policy is not self._floor:
            self._floor = session.policy
            self._policy = self._asked_for.at_least(session.policy)
        return self._policy

    async def __aenter__(self) -> Gateway:
        if self._plane.on_sent is None:
            self._plane.on_sent = self._ledger.sent
        await self._server.__aenter__()
        log.info("The gateway listens", action="gateway_open", socket=str(self.socket_path))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.__aexit__(*error)

    # ---- requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        try:
            reply = await self._reply(scope, receive)
        except ClientDisconnected:
            return  # the client is gone
        await requests.answer(send, reply, head=scope["method"] == "HEAD")

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        principal = self._who(scope)
        if isinstance(principal, Rejection):
            return refusal(principal)
        try:
            asked = await requests.read(scope, receive, largest=self._plane.cadence.largest_body)
        except requests.TooLarge as too_large:
            return refusal(too_large.refuse)
        try:
            if asked.path.startswith(paths.EXECUTION + "/"):
                return await self._execution.answer(principal, asked)
            if asked.path == TRACES_PATH and self._traces is not None:
                self._traces(asked.body)
                return Reply(200, headers=(("content-type", CONTENT_TYPE),))
            if (verb := component_of(asked.path)) is not None:
                return await self._verbs.answer(principal, *verb, asked)
        except PlaneUnreachable as error:
            return refusal(Rejection(Code.UNAVAILABLE, error.message, error.remedy))
        except Fenced as error:
            return refusal(Rejection(Code.SESSION_FENCED, error.message, error.remedy))
        except Refused as error:
            return refusal(Rejection(error.code, error.refusal.message, error.refusal.remedy))
        except AgentError as error:
            return refusal(Rejection(Code.UNAVAILABLE, error.message, error.remedy))
        except ClientDisconnected:
            raise
        except Exception:
            log.exception("A request failed in the gateway", action="gateway_failed", path=asked.path)
            return refusal(
                Rejection(Code.INTERNAL, "the agent's gateway failed on this request; see its log")
            )
        return refusal(Rejection(Code.NOT_FOUND, f"the gateway knows no {asked.path[:200]!r}"))

    def _who(self, scope: Scope) -> Principal | Rejection:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, secret = given.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            return Rejection(
                Code.TOKEN_MISSING, "the gateway wants Authorization: Bearer with a local secret"
            )
        principal = self._secrets.resolve(secret.strip())
        if principal is None:
            return Rejection(
                Code.TOKEN_UNKNOWN,
                "this local secret is not valid: its attempt or process has ended, or another agent issued it",
            )
        return principal
