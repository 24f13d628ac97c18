"""A canary in its worker process: it ends within a time, whatever becomes of the process, and says how far it came."""

from __future__ import annotations

import asyncio
from typing import Final

from tradewind_agent.environments.worker import Worker, WorkerLost
from tradewind_agent.kits import aiotasks
from tradewind_protocol.attempts import CanaryHop, CanaryMarks, Outcome
from tradewind_protocol.hosts import RunAttempt
from tradewind_protocol.states import OutcomeKind

LONGEST: Final = 10.0
"""Seconds that a worker process has for it."""


async def run(worker: Worker, message: RunAttempt) -> Outcome:
    """Run it, and return how it ended: always within `LONGEST` seconds. A canary that has not come to its log failed at
    its start."""
    clock = asyncio.get_running_loop().time
    began = clock()
    running = asyncio.create_task(worker.execute(message), name=f"canary {message.attempt_id}")
    try:
        await asyncio.wait([running], timeout=LONGEST)
        if not running.done():
            worker.stop_attempt(message.attempt_id, reason="a canary took too long", grace=0.0)
            return _not_started(
                message, f"the {worker.title} did not begin and end it within {LONGEST:.0f} s"
            )
        outcome = running.result()
    except WorkerLost as gone:
        return _not_started(message, str(gone))
    finally:
        await aiotasks.cancel(running)
    marks = outcome.canary
    if marks is None or marks.log is None:
        return outcome.model_copy(update={"canary": CanaryMarks(failed=CanaryHop.START)})
    start = max(0.0, clock() - began - marks.log)
    return outcome.model_copy(update={"canary": marks.model_copy(update={"start": start})})


def _not_started(message: RunAttempt, reason: str) -> Outcome:
    return Outcome(
        epoch=message.epoch,
        kind=OutcomeKind.FAILED,
        reason=reason[:4000],
        canary=CanaryMarks(failed=CanaryHop.START),
    )
