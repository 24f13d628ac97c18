"""Requests of agents to Airflow's Execution API: authenticate, classify, authorise, judge, forward."""

from __future__ import annotations

import json
import logging
from typing import Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_protocol import boundary, paths, versions
from tradewind_protocol.boundary import (
    Caller,
    Change,
    LocalAnswer,
    Owner,
    ReadKind,
    Rejection,
    RouteMatch,
    Rules,
)
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.patterns import fits
from tradewind_provider import notifications
from tradewind_provider.airflow import database, execution_api
from tradewind_provider.api import bodies, transactions
from tradewind_provider.api.auth import credentials
from tradewind_provider.api.auth.attempt_authorizer import AttemptCaller
from tradewind_provider.api.execution_proxy.concurrency_limiter import ConcurrencyLimiter
from tradewind_provider.api.ingress import admission
from tradewind_provider.api.plane import Plane
from tradewind_provider.services.agents import Agent
from tradewind_provider.settings import Reads

log = logging.getLogger(__name__)

EXECUTION: Final = paths.PREFIX + paths.EXECUTION
_TAKEN_OFF: Final = frozenset(
    {b"authorization", b"cookie", b"content-length", b"transfer-encoding", b"expect"}
)
_WITH_HOST_NAME: Final = frozenset({"ti.run", "ti.heartbeat"})


class ExecutionProxy:
    """Answers a request below `EXECUTION`, in the steps of this module's first line.

    `whole` and `compressed` pass a request on to the mounted application; the second compresses large answers.
    """

    def __init__(self, plane: Plane, *, whole: ASGIApp, compressed: ASGIApp) -> None:
        self._plane = plane
        self._whole = whole
        self._compressed = compressed
        self._limiter = ConcurrencyLimiter(at_once=database.connections)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """`path` is that of the Execution API. Raises Refused, and ClientGone."""
        agent = await self._authenticated(scope)
        largest = self._plane.settings.cadence.largest_body
        body = await bodies.read(scope, admission.timely(receive), largest=largest)
        found = boundary.classify(scope["method"], path)
        caller = await self._authorised(scope, agent, found)
        judged = _judged(agent, caller, scope["method"], path, found, body)
        if isinstance(judged, LocalAnswer):
            await bodies.answer(send, judged.status, judged.body)
            return
        if found is not None:
            _require_scope(caller, found, scope["query_string"], self._plane.settings.reads)
            await self._plane.dag_access.check(
                agent, caller.caller, caller.subject, found, scope["query_string"]
            )
            if found.route.name == "dagrun.trigger" and _has_sealed_parameters(judged):
                await self._plane.dag_access.require_reader(agent, found)
        if found is not None and found.route.name in _WITH_HOST_NAME:
            judged = _named(judged, caller)
        onward = await self._onward(scope, path, agent, caller, found, judged)
        await self._forward(onward, receive, send, found, judged)

    async def _authenticated(self, scope: Scope) -> Agent:
        credentials.check_protocol(bodies.header(scope, versions.HEADER.lower().encode()))
        token = credentials.bearer(bodies.header(scope, b"authorization"))
        return await self._plane.sessions.agent(token, self._plane.clock())

    async def _authorised(self, scope: Scope, agent: Agent, found: RouteMatch | None) -> AttemptCaller:
        header = bodies.header(scope, paths.ATTEMPT_HEADER.lower().encode())
        if found is None or found.route.name != "ti.run":
            return await self._plane.authorizer.find(agent, header)
        return await self._plane.authorizer.grant_or_find(
            agent,
            header,
            task_instance=found.params[Owner.TASK_INSTANCE.value],
            offer_lasts=self._plane.settings.cadence.offer,
            now=self._plane.clock(),
        )

    async def _onward(
        self,
        scope: Scope,
        path: str,
        agent: Agent,
        caller: AttemptCaller,
        found: RouteMatch | None,
        body: bytes,
    ) -> Scope:
        """The request as Airflow's Execution API gets it, with a token made for it."""
        subject = await self._plane.authorizer.subject(agent, caller, found)
        workload = found is not None and found.route.workload
        token = self._plane.execution_tokens.mint(subject, workload=workload)
        before = scope["path"].removesuffix(EXECUTION + path)
        moved = before + execution_api.MOUNT + path
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _TAKEN_OFF]
        headers.append((b"authorization", b"Bearer " + token.encode()))
        headers.append((b"content-length", str(len(body)).encode()))
        return {**scope, "path": moved, "raw_path": quote(moved, safe="/:@+~").encode(), "headers": headers}

    async def _forward(
        self, onward: Scope, receive: Receive, send: Send, found: RouteMatch | None, body: bytes
    ) -> None:
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        # A GET reads values, which may be large. The answers to all other requests are small.
        application = self._compressed if onward["method"] == "GET" else self._whole
        async with self._limiter.one():
            await application(onward, bodies.replay(body, receive), noting)
        if found is not None and found.route.name == "ti.state" and 200 <= status < 300 and _defers(body):
            await run_in_threadpool(_publish_triggers)


def _judged(
    agent: Agent, caller: AttemptCaller, method: str, path: str, found: RouteMatch | None, body: bytes
) -> bytes | LocalAnswer:
    """The body as the data boundary lets it through, or the answer the proxy gives itself. Raises Refused."""
    rules = Rules.of(agent.policy)
    if found is None:
        decision = boundary.unknown(method, path, rules)
        if caller.caller is not Caller.TASK:
            raise Refused(Code.NOT_PERMITTED, f"a {caller.caller.value} may not call {method} {path[:200]!r}")
    else:
        # Which task instance a triggerer may ask about depends on its triggers, not on an id of its own.
        own = None if caller.caller is Caller.TRIGGERER else caller.subject
        decision = boundary.admit(found, caller.caller, own) or boundary.decide(found, body, rules)
    if isinstance(decision, Rejection):
        log.info(
            "Refused a request for the Execution API: %s",
            decision.message,
            extra={"action": "door_refused", "agent": agent.name, "speaker": caller.label},
        )
        raise Refused(decision.code, decision.message, remedy=decision.remedy)
    if isinstance(decision, LocalAnswer):
        return decision
    return decision.body if isinstance(decision, Change) else body


def _require_scope(caller: AttemptCaller, found: RouteMatch, query: bytes, reads: Reads) -> None:
    """Return when a task reads what the Deployment lets it. Raises Refused NOT_PERMITTED. What a trigger or a Dag file reads is of no run,
    and its site's alone to narrow."""
    if not reads.own_only or caller.caller not in (Caller.TASK, Caller.CALLBACK):
        return
    for read in boundary.outside(found, query, caller.own):
        if read.kind in (ReadKind.XCOM, ReadKind.STATE) and not fits(read.name, reads.shared):
            raise Refused(
                Code.NOT_PERMITTED,
                f"{caller.label} may not read {read.what}: this Deployment lets a task read its own alone",
                remedy="name the Dag in [tradewind] reads of the plane, after 'own'",
            )


def _named(body: bytes, caller: AttemptCaller) -> bytes:
    """The body with the host name that the plane gives this attempt. Raises Refused MALFORMED."""
    try:
        sent = json.loads(body)
        sent["hostname"] = caller.hostname
    except (ValueError, RecursionError, TypeError):
        raise Refused(Code.MALFORMED, "the body is no JSON object") from None
    return json.dumps(sent).encode()


def _has_sealed_parameters(body: bytes) -> bool:
    try:
        sent = json.loads(body)
    except ValueError:
        return False
    return isinstance(sent, dict) and boundary.has_seal(sent.get("conf"))


def _defers(body: bytes) -> bool:
    try:
        sent = json.loads(body)
    except ValueError:
        return False
    return isinstance(sent, dict) and sent.get("state") == "deferred"


def _publish_triggers() -> None:
    transactions.in_transaction(lambda db: notifications.publish(db, notifications.TRIGGERS))
