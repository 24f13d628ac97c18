"""A request that may leave: to the plane, or kept, or answered in the plane's place while it is away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

import structlog

from tradewind_agent.access.local_secrets import AttemptPrincipal
from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.gateway import repetition
from tradewind_agent.gateway.interfaces import Plane, RequestQueue
from tradewind_agent.gateway.ledger import Cause, Ledger
from tradewind_agent.gateway.outage import OutageAction, OutageRule
from tradewind_agent.gateway.requests import GatewayRequest, Reply, refusal
from tradewind_agent.http.responses import PlaneResponse, refusal_in
from tradewind_agent.kits import aiotime
from tradewind_protocol.boundary import Rejection
from tradewind_protocol.errors import Code, Refused

log = structlog.get_logger(__name__)

HEARTBEAT_PATIENCE: Final = 4.0
"""Seconds. Airflow's client gives up after 5; a network that swallows packets must not cost a task its life."""

CONFIRMED_FOR: Final = 1.0
"""Seconds for which the plane is not asked again after it has said that an attempt may run. Airflow's supervisor sends a
heartbeat right after the start; the next one comes seconds later, and goes to the plane."""

_FROM_PLANE: Final = ("content-type", "content-range", "correlation-id", "retry-after")
_REMEMBERED: Final = 10_000  # attempts whose end is in the outbox
_NOTHING: Final = Reply(204, headers=())


@dataclass(frozen=True)
class Outgoing:
    """A request as it shall leave."""

    asked: GatewayRequest
    attempt: AttemptPrincipal | None  # None for a component
    rule: OutageRule
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    cause: Cause


class Forwarder:
    """Sends what the boundary let pass, by the outage rule of its route."""

    def __init__(self, *, plane: Plane, ledger: Ledger, outbox: RequestQueue) -> None:
        self._plane = plane
        self._ledger = ledger
        self._outbox = outbox
        self._confirmed: dict[UUID, float] = {}  # when the plane last let an attempt go on, newest last
        self._ended: dict[UUID, None] = {}  # attempts whose end waits in the outbox, oldest first

    async def send(self, out: Outgoing) -> Reply:
        """The response. Raises ClientDisconnected."""
        if out.attempt is not None and out.attempt.attempt_id in self._ended:
            return await self._after_the_end(out)
        if out.rule.away is OutageAction.STAND_IN:
            return await self._stand_in(out)
        if out.rule.away is OutageAction.KEEP and out.attempt is not None:
            return await self._end(out, out.attempt)
        reply = await self._wait(out)
        if out.rule.away is OutageAction.START:
            self._note(out, reply)
        return reply

    # ---- a method for each outage rule

    async def _stand_in(self, out: Outgoing) -> Reply:
        """A heartbeat: the plane's answer, or ours for as long as the plane granted."""
        problem = "the plane cannot be reached"
        if self._just_confirmed(out):
            return self._stay(out, "answered", "the plane let it go on a moment ago", out.rule.ok or _NOTHING)
        if self._plane.reachable:
            try:
                reply = _passed_on(await aiotime.within(self._once(out), HEARTBEAT_PATIENCE))
                self._note(out, reply)
                return reply
            except PlaneUnreachable as failure:
                problem = failure.message
            except asyncio.TimeoutError:
                problem = f"the plane did not answer within {HEARTBEAT_PATIENCE:.0f} s"
        away, grace = self._away_for(), self._plane.cadence.grace
        if away < grace:
            return self._stay(
                out, "answered", f"in place of the plane, away for {away:.0f} s", out.rule.ok or _NOTHING
            )
        message = f"{problem}; the {grace:.0f} s it granted for this are over"
        return self._stay(out, "refused", message, _unavailable(message))

    async def _end(self, out: Outgoing, attempt: AttemptPrincipal) -> Reply:
        """How a try ends: to the plane, else into the outbox, so that the process can go."""
        if self._plane.reachable:
            try:
                return _passed_on(await self._once(out))
            except PlaneUnreachable as failure:
                log.warning(
                    "The end of a task waits for the plane",
                    action="state_kept",
                    attempt=str(attempt.attempt_id),
                    reason=failure.message,
                )
        if not self._keep(out, attempt):
            return await self._wait(out)
        self._ended[attempt.attempt_id] = None
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]
        return self._stay(out, "kept", "until the plane is back", out.rule.ok or _NOTHING)

    async def _after_the_end(self, out: Outgoing) -> Reply:
        """A request of a task whose end is in the outbox: writes follow its end, in order; reads wait for the plane."""
        rule = out.rule
        if rule.ok is not None and rule.away in (OutageAction.KEEP, OutageAction.STAND_IN):
            return self._stay(out, "answered", "its end is kept already", rule.ok)
        if rule.ok is not None and out.attempt is not None and self._keep(out, out.attempt):
            return self._stay(out, "kept", "until the plane is back", rule.ok)
        return await self._wait(out)

    async def _wait(self, out: Outgoing) -> Reply:
        cadence = self._plane.cadence
        most = cadence.lost_after if out.rule.away is OutageAction.START else cadence.grace
        try:
            response = await repetition.ask(
                self._plane,
                lambda: self._once(out),
                again=out.rule.again,
                patience=max(0.0, most - self._away_for()),
                gone=out.asked.gone,
            )
        except repetition.AlreadyApplied:
            return out.rule.ok or _NOTHING
        except repetition.PlaneWaitExpired as gave_up:
            maybe = "; it may have acted on the request" if gave_up.arrived else ""
            return _unavailable(f"{gave_up}{maybe}")
        return _passed_on(response)

    # ---- parts

    async def _once(self, out: Outgoing) -> PlaneResponse:
        grant = None if out.attempt is None or out.rule.away is not OutageAction.START else out.attempt.grant
        if grant is not None and not grant.asked():
            raise Refused(Code.LEASE_LOST, "this agent does not run the attempt any more")
        with self._ledger.because(out.cause):
            response = await self._plane.forward(out.asked.method, out.asked.target, out.headers, out.body)
        if grant is not None:
            grant.answered(refusal_in(response))
        return response

    def _note(self, out: Outgoing, reply: Reply) -> None:
        if out.attempt is None:
            return
        self._confirmed.pop(out.attempt.attempt_id, None)
        if 200 <= reply.status < 300:
            self._confirmed[out.attempt.attempt_id] = asyncio.get_running_loop().time()
            if len(self._confirmed) > _REMEMBERED:
                del self._confirmed[next(iter(self._confirmed))]

    def _just_confirmed(self, out: Outgoing) -> bool:
        confirmed = None if out.attempt is None else self._confirmed.get(out.attempt.attempt_id)
        return confirmed is not None and asyncio.get_running_loop().time() - confirmed < CONFIRMED_FOR

    def _keep(self, out: Outgoing, attempt: AttemptPrincipal) -> bool:
        """Put the request into the outbox. False when the disk refuses: then waiting is all that is left."""
        try:
            self._outbox.put(
                kind="state",
                attempt_id=attempt.attempt_id,
                epoch=attempt.epoch,
                method=out.asked.method,
                path=out.asked.target,
                body=out.body,
                headers=out.headers,
            )
        except Exception:  # whatever the disk does, the task must not die of it
            log.exception(
                "Cannot write to the outbox", action="outbox_broken", attempt=str(attempt.attempt_id)
            )
            return False
        return True

    def _stay(self, out: Outgoing, decision: str, what: str, reply: Reply) -> Reply:
        cause = replace(out.cause, decision=decision, what=what)
        self._ledger.stayed(cause, method=out.asked.method, size=len(out.body), status=reply.status)
        return reply

    def _away_for(self) -> float:
        """Seconds since the plane's last answer."""
        last = self._plane.last_success
        return 0.0 if last is None else max(0.0, asyncio.get_running_loop().time() - last)


def _passed_on(response: PlaneResponse) -> Reply:
    # Named one by one, so that a token the plane might ever put into a header stays where it is.
    kept = tuple((name, response.headers[name]) for name in _FROM_PLANE if name in response.headers)
    return Reply(response.status_code, response.content, kept)


def _unavailable(message: str) -> Reply:
    return refusal(
        Rejection(Code.UNAVAILABLE, message, "work goes on when the plane answers again; see the agent's log")
    )
