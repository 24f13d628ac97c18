"""A request for Airflow's Execution API: its principal, the decision of the data boundary, and what then leaves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import structlog

from tradewind_agent.access.local_secrets import AttemptPrincipal, Principal
from tradewind_agent.gateway import outage
from tradewind_agent.gateway.forwarder import Forwarder, Outgoing
from tradewind_agent.gateway.interfaces import Plane, RequestQueue
from tradewind_agent.gateway.ledger import Cause, Ledger
from tradewind_agent.gateway.policy import GatewayPolicy
from tradewind_agent.gateway.requests import GatewayRequest, Reply, refusal
from tradewind_agent.rules import RuleRefusal
from tradewind_agent.state.sealing import SiteSealing
from tradewind_protocol import boundary, paths, run_signatures
from tradewind_protocol.boundary import (
    Caller,
    CannotOpen,
    Change,
    Decision,
    LocalAnswer,
    OwnRun,
    Read,
    ReadKind,
    Rejection,
    RouteMatch,
    Sealing,
    StartedBy,
)
from tradewind_protocol.errors import Code

log = structlog.get_logger(__name__)

_TO_PLANE: Final[tuple[str, ...]] = (
    "airflow-api-version",
    "content-type",
    "accept",
    "correlation-id",
    "traceparent",
    "tracestate",
)
_TASK_STATE: Final = "ti.state"
_START: Final = "ti.run"


class ExecutionRequests:
    """Answers requests under /execution."""

    def __init__(
        self,
        *,
        plane: Plane,
        rules: Callable[[], GatewayPolicy],
        ledger: Ledger,
        outbox: RequestQueue,
        sealing: SiteSealing,
        now: Callable[[], float] = time.time,
        judge_read: Callable[[Read, OwnRun | None], RuleRefusal | None] = lambda read, own: None,
    ) -> None:
        self._rules = rules
        self._ledger = ledger
        self._sealing = sealing
        self._now = now
        self._judge_read = judge_read
        self._forwarding = Forwarder(plane=plane, ledger=ledger, outbox=outbox)

    async def answer(self, principal: Principal, asked: GatewayRequest) -> Reply:
        """The response to one request: judged by the data boundary, then by the owner's rules about reads, then forwarded and
        opened. Raises ClientDisconnected."""
        path = asked.path.removeprefix(paths.EXECUTION)
        found = boundary.classify(asked.method, path)
        cause = Cause(_label(principal), paths.EXECUTION + (found.route.template if found else "(unknown)"))
        decision = self._decide(principal, found, path, asked)
        if isinstance(decision, Rejection):
            return self._stay(cause, "refused", decision.message, asked, refusal(decision))
        if isinstance(decision, LocalAnswer):
            return self._stay(cause, "answered", decision.why, asked, Reply(decision.status, decision.body))
        if found is not None and (no := self._out_of_scope(principal, found, _query(asked))) is not None:
            return self._not_read(principal, no, cause, asked)
        body, cause = asked.body, replace(cause, carries=decision.carries)
        if isinstance(decision, Change):
            body, cause = decision.body, replace(cause, decision="changed", what=decision.what)
        reply = await self._forward(principal, found, asked, body, cause)
        if not 200 <= reply.status < 300:
            return reply
        try:
            return self._opened(principal, found, asked, reply)
        except CannotOpen as cannot:
            return self._closed(principal, cause, asked, str(cannot))

    def _decide(
        self, principal: Principal, found: RouteMatch | None, path: str, asked: GatewayRequest
    ) -> Decision:
        """What the data boundary does with the request."""
        if found is None:
            return boundary.unknown(asked.method, path, self._rules())
        return boundary.admit(found, _caller(principal), _own(principal)) or boundary.decide(
            found, asked.body, self._rules(), self._seals(principal, asked)
        )

    async def _forward(
        self,
        principal: Principal,
        found: RouteMatch | None,
        asked: GatewayRequest,
        body: bytes,
        cause: Cause,
    ) -> Reply:
        """Send the request with `body`, by the outage rule of its route."""
        attempt = principal if isinstance(principal, AttemptPrincipal) else None
        headers = {name: asked.headers[name] for name in _TO_PLANE if name in asked.headers}
        headers[paths.ATTEMPT_HEADER] = _header(principal)
        rule = outage.OUTAGE_RULES[found.route.name] if found else outage.UNKNOWN
        reply = await self._forwarding.send(Outgoing(asked, attempt, rule, headers, body, cause))
        if attempt is not None and found is not None and found.route.name == _TASK_STATE:
            _note_state(attempt, asked.body, reply)
        return reply

    def _opened(
        self, principal: Principal, found: RouteMatch | None, asked: GatewayRequest, reply: Reply
    ) -> Reply:
        """The plane's answer with what this site has sealed in clear; of a start, judged by the owner's rules. Raises
        CannotOpen."""
        body = boundary.execution_answer(
            found,
            reply.body,
            self._sealing.open,
            _query(asked),
            _own_run(principal),
            self._sealing.required(self._rules()),
        )
        opened = replace(reply, body=body)
        if isinstance(principal, AttemptPrincipal) and found is not None and found.route.name == _START:
            started = boundary.started_by(reply.body, self._sealing.open, principal.own)
            return _start(principal, opened, started)
        return opened

    def _seals(self, principal: Principal, asked: GatewayRequest) -> Sealing:
        sealing = self._sealing
        return Sealing(sealing.seal, sealing.values(), _own_run(principal), _query(asked), int(self._now()))

    def _closed(self, principal: Principal, cause: Cause, asked: GatewayRequest, why: str) -> Reply:
        """The refusal of an answer that this agent cannot open. A task that starts ends with the reason."""
        if isinstance(principal, AttemptPrincipal) and principal.failed is not None:
            principal.failed(why)
        log.error("A sealed value cannot be opened", action="seal_broken", work=_label(principal), reason=why)
        remedy = "see docs/how-to/keep-a-key.md"
        return self._stay(cause, "refused", why, asked, refusal(Rejection(Code.POLICY_REFUSED, why, remedy)))

    def _not_read(self, principal: Principal, no: RuleRefusal, cause: Cause, asked: GatewayRequest) -> Reply:
        if isinstance(principal, AttemptPrincipal) and principal.read_refused is not None:
            principal.read_refused(no.rule)
        why = str(no)
        log.warning(
            "A rule of the site refuses a read",
            action="read_refused",
            work=_label(principal),
            rule=no.rule,
            reason=no.why,
        )
        rejection = Rejection(Code.POLICY_REFUSED, why, "ask the owner of the site to name it in the rule")
        return self._stay(cause, "refused", why, asked, refusal(rejection))

    def _out_of_scope(self, principal: Principal, found: RouteMatch, query: bytes) -> RuleRefusal | None:
        """Why the site's owner does not let this be read; None when it may be. What a trigger or a Dag file reads is of no run:
        of that, connections and variables are judged."""
        attempt = principal if isinstance(principal, AttemptPrincipal) else None
        own = _own_run(principal)
        for read in boundary.outside(found, query, own):
            if attempt is None and read.kind in (ReadKind.XCOM, ReadKind.STATE):
                continue
            if (no := self._judge_read(read, own)) is not None:
                return no
        return None

    def _stay(self, cause: Cause, decision: str, what: str, asked: GatewayRequest, reply: Reply) -> Reply:
        cause = replace(cause, decision=decision, what=what)
        self._ledger.stayed(cause, method=asked.method, size=len(asked.body), status=reply.status)
        return reply


def _start(attempt: AttemptPrincipal, reply: Reply, started: StartedBy | None) -> Reply:
    """The plane's answer that a task may run, or a refusal where the site's owner does not let a task of that run start."""
    if attempt.may_run is None:
        return reply
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        return reply  # no supervisor starts with it
    if not (why := attempt.may_run(answer if isinstance(answer, dict) else {}, started)):
        return _unsigned(reply, answer) if run_signatures.KEY.encode() in reply.body else reply
    return refusal(Rejection(Code.POLICY_REFUSED, why))


def _unsigned(reply: Reply, answer: Any) -> Reply:
    """The answer with the run's parameters as a task gets them: their signature was for the agent."""
    run = answer.get("dag_run") if isinstance(answer, dict) else None
    if not isinstance(run, dict) or not isinstance(run.get("conf"), dict):
        return reply
    unsigned = {**answer, "dag_run": {**run, "conf": run_signatures.without(run["conf"])}}
    return replace(reply, body=json.dumps(unsigned).encode())


def _note_state(attempt: AttemptPrincipal, body: bytes, reply: Reply) -> None:
    """Tell the attempt the state its supervisor has reported, when it was taken: by the plane, or by the outbox."""
    if attempt.on_task_state is None or not 200 <= reply.status < 300:
        return
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return
    state = sent.get("state") if isinstance(sent, dict) else None
    if isinstance(state, str):
        attempt.on_task_state(state)


def _caller(principal: Principal) -> Caller:
    if isinstance(principal, AttemptPrincipal):
        return Caller(principal.kind.value)
    return Caller(principal.component.value)


def _own(principal: Principal) -> UUID | None:
    if isinstance(principal, AttemptPrincipal) and principal.subject:
        return UUID(principal.subject)
    return None


def _own_run(principal: Principal) -> OwnRun | None:
    return principal.own if isinstance(principal, AttemptPrincipal) else None


def _query(asked: GatewayRequest) -> bytes:
    return asked.target.partition("?")[2].encode("latin-1", "replace")


def _label(principal: Principal) -> str:
    if isinstance(principal, AttemptPrincipal):
        return principal.label or str(principal.attempt_id)
    return principal.component.value


def _header(principal: Principal) -> str:
    if isinstance(principal, AttemptPrincipal):
        return f"{principal.attempt_id}:{principal.epoch}"
    return principal.component.value
