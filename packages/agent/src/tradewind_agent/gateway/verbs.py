"""Our own verbs of the dag processor and the triggerer: which process may use them, what of them leaves, and the response."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from tradewind_agent.access.local_secrets import ComponentPrincipal, Principal
from tradewind_agent.gateway.interfaces import Plane
from tradewind_agent.gateway.ledger import Cause, Ledger
from tradewind_agent.gateway.policy import GatewayPolicy
from tradewind_agent.gateway.requests import ClientDisconnected, GatewayRequest, Reply, refusal
from tradewind_agent.gateway.waiting_tasks import WaitingTasks
from tradewind_agent.http.responses import PlaneResponse
from tradewind_agent.kits import aiotasks
from tradewind_agent.rules import RuleRefusal
from tradewind_agent.state.sealing import SiteSealing
from tradewind_protocol import boundary, paths, triggers
from tradewind_protocol.boundary import Change, Decision, LocalAnswer, Rejection, TriggerEvents
from tradewind_protocol.errors import Code
from tradewind_protocol.states import Component

VERBS: Final = {paths.DAGS: Component.DAG_PROCESSOR, paths.TRIGGERS: Component.TRIGGERER}
"""The first part of a verb's path, and the component that may use it."""

_MOST_REFUSED: Final = 10_000

SMALL: Final = 64 * 1024
"""Bytes of a body that is judged at once; a larger one is judged in a thread, so that heartbeats are not kept waiting."""


def component_of(path: str) -> tuple[Component, str] | None:
    """The component that uses the verb at this path, and the first part of the path; None for any other path."""
    for prefix, component in VERBS.items():
        if path == prefix or path.startswith(prefix + "/"):
            return component, prefix
    return None


class VerbRequests:
    """Answers requests of the dag processor and the triggerer for their verbs."""

    def __init__(
        self,
        *,
        plane: Plane,
        rules: Callable[[], GatewayPolicy],
        ledger: Ledger,
        sealing: SiteSealing,
        judge_trigger: Callable[[dict[str, Any]], RuleRefusal | None],
    ) -> None:
        self._plane = plane
        self._rules = rules
        self._ledger = ledger
        self._sealing = sealing
        self._waiting = WaitingTasks()
        self._judge_trigger = judge_trigger
        self._refused_triggers: dict[int, str] = {}  # id to rule, the oldest first

    async def answer(
        self, principal: Principal, component: Component, prefix: str, asked: GatewayRequest
    ) -> Reply:
        """The response to one request. The process itself waits and repeats. Raises ClientDisconnected."""
        cause = Cause(component.value, asked.path)
        if not isinstance(principal, ComponentPrincipal) or principal.component is not component:
            refuse = Rejection(
                Code.NOT_PERMITTED, f"only a {component.value.replace('_', ' ')} process may use {prefix}"
            )
            return self._refused(replace(cause, route=prefix), refuse, asked)
        decision = await self._decide(asked)
        if isinstance(decision, LocalAnswer | Rejection):
            refuse = decision if isinstance(decision, Rejection) else Rejection(Code.INTERNAL, decision.why)
            return self._refused(cause, refuse, asked)
        body, cause = asked.body, replace(cause, carries=decision.carries)
        if isinstance(decision, Change):
            body, cause = decision.body, replace(cause, decision="changed", what=decision.what)
        return await self._forward(component, cause, asked, body)

    async def _decide(self, asked: GatewayRequest) -> Decision:
        values = self._sealing.values() if asked.path == triggers.SYNC else None
        judged = partial(
            boundary.decide_verb,
            asked.path,
            asked.body,
            self._rules(),
            self._sealing.digest,
            self._sealing.seal,
            TriggerEvents(values, self._waiting.of) if values is not None else None,
            lambda trigger_id: self._refused_triggers.get(trigger_id, ""),
        )
        return judged() if len(asked.body) <= SMALL else await asyncio.to_thread(judged)

    async def _forward(self, component: Component, cause: Cause, asked: GatewayRequest, body: bytes) -> Reply:
        headers = {
            name: value
            for name, value in asked.headers.items()
            if name in ("content-type", "accept") or name.startswith("tradewind-")
        }
        headers[paths.ATTEMPT_HEADER] = component.value
        with self._ledger.because(cause):
            # Both verbs may be held by the plane like a poll. A process that ends cancels its request.
            held = asyncio.create_task(
                self._plane.forward(
                    asked.method, asked.target, headers, body, timeout=self._plane.cadence.poll + 35.0
                ),
                name=f"gateway {asked.path}",
            )
            hung_up = asyncio.ensure_future(asked.gone())
            try:
                await asyncio.wait({held, hung_up}, return_when=asyncio.FIRST_COMPLETED)
                if not held.done():
                    raise ClientDisconnected
                response = held.result()
            finally:
                await aiotasks.cancel(held, hung_up)
        kept = tuple(
            (name, value)
            for name, value in response.headers.items()
            if name.lower() in ("content-type", "retry-after") or name.lower().startswith("tradewind-")
        )
        return Reply(response.status_code, self._for_site(asked.path, response), kept)

    def _for_site(self, path: str, response: PlaneResponse) -> bytes:
        if path == triggers.SYNC and 200 <= response.status_code < 300:
            required = self._sealing.required(self._rules())
            return boundary.triggers_answer(response.content, self._sealing.open, self._created, required)
        return boundary.for_site(response.content)

    def _created(self, trigger: dict[str, Any]) -> str:
        self._waiting.created(trigger)
        trigger_id = int(trigger.get("id", -1))
        self._refused_triggers.pop(trigger_id, None)
        if (found := self._judge_trigger(trigger)) is None:
            return ""
        self._refused_triggers[trigger_id] = found.rule
        while len(self._refused_triggers) > _MOST_REFUSED:
            del self._refused_triggers[next(iter(self._refused_triggers))]
        return str(found)

    def _refused(self, cause: Cause, refuse: Rejection, asked: GatewayRequest) -> Reply:
        cause = replace(cause, decision="refused", what=refuse.message)
        self._ledger.stayed(cause, method=asked.method, size=len(asked.body), status=refuse.status)
        return refusal(refuse)
