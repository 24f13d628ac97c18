"""Verbs of our own that a host speaks with the plane: whose they are, what of them leaves, and the plane's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from tradewind_agent.access.local_secrets import ComponentPrincipal, Principal
from tradewind_agent.gateway.interfaces import Plane
from tradewind_agent.gateway.ledger import Cause, Ledger
from tradewind_agent.gateway.policy import GatewayPolicy
from tradewind_agent.gateway.requests import ClientDisconnected, GatewayRequest, Reply, refusal
from tradewind_agent.kits import aiotasks
from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol import boundary, paths
from tradewind_protocol.boundary import Change, Decision, LocalAnswer, Rejection
from tradewind_protocol.errors import Code
from tradewind_protocol.states import Component

VERBS: Final = {paths.DAGS: Component.DAG_PROCESSOR, paths.TRIGGERS: Component.TRIGGERER}
"""The first part of a verb's path, and the host that may ask for it."""

SMALL: Final = 64 * 1024
"""Bytes of a body that is judged at once; a larger one is judged in a thread, so that heartbeats are not kept waiting."""


def component_of(path: str) -> tuple[Component, str] | None:
    """The host whose verb this is, and the first part of its path; None for what is no verb of a host's."""
    for prefix, component in VERBS.items():
        if path == prefix or path.startswith(prefix + "/"):
            return component, prefix
    return None


class VerbRequests:
    """Answers requests for the verbs of hosts."""

    def __init__(
        self, *, plane: Plane, rules: Callable[[], GatewayPolicy], ledger: Ledger, key: SiteKey
    ) -> None:
        self._plane = plane
        self._rules = rules
        self._ledger = ledger
        self._key = key

    async def answer(
        self, principal: Principal, component: Component, prefix: str, asked: GatewayRequest
    ) -> Reply:
        """The answer to one request. Waiting and repeating is the host's business. Raises HungUp when the host does not
        wait any more."""
        cause = Cause(component.value, asked.path)
        if not isinstance(principal, ComponentPrincipal) or principal.component is not component:
            refuse = Rejection(Code.NOT_PERMITTED, f"only a {component.value} host may ask for {prefix}")
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
        judged = partial(
            boundary.decide_verb, asked.path, asked.body, self._rules(), self._key.digest, self._key.seal
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
            # Both verbs may be held by the plane like a poll. A host that ends leaves nobody to hold one for.
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
        return Reply(response.status_code, boundary.for_site(response.content, self._key.open), kept)

    def _refused(self, cause: Cause, refuse: Rejection, asked: GatewayRequest) -> Reply:
        cause = replace(cause, decision="refused", what=refuse.message)
        self._ledger.stayed(cause, method=asked.method, size=len(asked.body), status=refuse.status)
        return refusal(refuse)
