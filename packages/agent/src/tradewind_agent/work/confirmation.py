"""Asking the plane for the grant of an offer, until there is a definite answer, and declining one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from tradewind_agent.errors import AgentError, Fenced, PlaneUnreachable, RefusedForGood, SettingsWrong
from tradewind_agent.kits import aiotime
from tradewind_agent.kits.backoff import Backoff
from tradewind_agent.plane import retry
from tradewind_agent.plane.client import PlaneClient
from tradewind_protocol.attempts import AttemptRef, Offer
from tradewind_protocol.errors import Refused

log = structlog.get_logger(__name__)


class StopRequest:
    """That an attempt is to end, and why. The first reason counts."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.event = asyncio.Event()

    def ask(self, reason: str) -> bool:
        """False when it was asked before."""
        if self.reason is not None:
            return False
        self.reason = reason[:4000]
        self.event.set()
        return True


async def confirmed(
    plane: PlaneClient,
    offer: Offer,
    stop: StopRequest,
    *,
    maybe_granted: bool = False,
    on_ask: Callable[[], None],
) -> bool:
    """True once the plane has granted the offer. Asked until there is a definite answer: an answer that was lost may have been the
    grant, and then the plane waits for this agent only. `maybe_granted`: a request for it may have reached the plane although no
    answer came. An offer that cannot have been granted is declined when `stop` asks for the end. `on_ask` is called before each
    request."""
    ref = AttemptRef(attempt_id=offer.attempt_id, epoch=offer.epoch)
    bound = log.bind(attempt=str(offer.attempt_id), epoch=offer.epoch, work=offer.label)
    backoff, cadence = Backoff(), plane.cadence
    while True:
        if stop.reason is not None and not maybe_granted:
            await decline(plane, ref, reason=stop.reason, within=offer.confirm_within)
            return False
        on_ask()
        try:
            await plane.start(ref)
            return True
        except PlaneUnreachable as error:
            maybe_granted = maybe_granted or error.may_have_arrived
            problem: Exception = error
        except Refused as refused:
            if retry.verdict(refused) is not retry.Verdict.AGAIN:
                bound.info("Offer has expired or was withdrawn", action="offer_gone", reason=str(refused))
                return False
            problem = refused
        except (RefusedForGood, Fenced):
            return False  # the poll loop meets the same answer and ends the agent
        except AgentError as error:  # a token file that is being replaced
            problem = error
        wait = backoff.after_failure(first=cadence.retry_first, most=cadence.retry_most)
        bound.warning(
            "Start not confirmed yet", action="start_retried", wait=round(wait, 2), reason=str(problem)
        )
        await aiotime.sleep(wait, stop.event)


async def decline(plane: PlaneClient, ref: AttemptRef, *, reason: str, within: float) -> None:
    """Decline an offer, so that the plane offers it to another agent. Gives up after `within` seconds: by then the offer has ended by itself."""
    backoff, cadence = Backoff(), plane.cadence
    deadline = asyncio.get_running_loop().time() + within
    while True:
        try:
            await plane.decline(ref, reason=reason)
            log.info("Offer declined", action="offer_handed_back", attempt=str(ref.attempt_id), reason=reason)
            return
        except (RefusedForGood, Fenced, SettingsWrong):
            return
        except (PlaneUnreachable, Refused) as error:
            wait = backoff.after_failure(first=cadence.retry_first, most=cadence.retry_most)
            late = asyncio.get_running_loop().time() + wait > deadline
            if late or retry.verdict(error) is not retry.Verdict.AGAIN:
                log.warning(
                    "Offer not declined",
                    action="offer_not_handed_back",
                    attempt=str(ref.attempt_id),
                    reason=str(error),
                )
                return
        await asyncio.sleep(wait)
