"""One watch per API server over the triggers of all requests that wait, so that waiting costs no query.

Woken by notifications (a task deferred through this plane, a session ended), and by itself every second and a half: what
Airflow's scheduler does to triggers (start from trigger, deadlines, timeouts) and what a person does to a deferred
task is published nowhere. It deletes unused triggers on the way, as each of Airflow's triggerers does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.concurrency import run_in_threadpool

from tradewind_provider import notifications
from tradewind_provider.airflow.triggers import TriggerFingerprint
from tradewind_provider.services.triggers import TriggerSurvey

log = logging.getLogger(__name__)

INTERVAL: Final = 1.5
"""Seconds between two looks without a notification."""

SPACING: Final = 0.2
"""Seconds between two looks at least: a thousand tasks that defer at once are a few looks."""

_NONE: Final = TriggerFingerprint()


@dataclass(frozen=True)
class TakeoverRule:
    """When a triggerer that says nothing has lost its triggers.

    Its session ending is the rule, and that is noticed at once; this is for a host that hangs while its agent lives. A
    plane that was away itself gives all triggerers the time to come back first.
    """

    threshold: timedelta
    started_at: datetime  # of this API server

    def alive_since(self, now: datetime) -> datetime:
        """Jobs with a later heartbeat are alive."""
        if now - self.started_at < self.threshold:
            return self.started_at - timedelta(days=1)
        return now - self.threshold


class TriggerSubscription:
    """One request that waits. `assigned` is what its host was answered last."""

    def __init__(self, job_id: int, *, assigned: TriggerFingerprint, beating: bool) -> None:
        self.job_id = job_id
        self.assigned = assigned
        self.beating = beating
        self._free: TriggerFingerprint | None = None
        self._changed = asyncio.Event()

    async def changed(self, timeout: float) -> bool:
        """True when another look may find something, False after `timeout` seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except asyncio.TimeoutError:
            return False
        self._changed.clear()
        return True

    def judge(self, survey: TriggerSurvey) -> None:
        """Wake when this host's triggers are others than it was answered, or other ones are free than last time."""
        theirs = survey.by_job.get(self.job_id, _NONE)
        free_changed = survey.free not in (_NONE, self._free)
        self._free = survey.free
        if theirs != self.assigned or free_changed:
            self.wake()

    def wake(self) -> None:
        self._changed.set()


class TriggerWatch:
    """Runs while a request waits. Belongs to one event loop."""

    def __init__(
        self,
        survey: Callable[[frozenset[int]], TriggerSurvey],
        *,
        hub: notifications.Hub,
        stopping: Callable[[], bool] = lambda: False,
        interval: float = INTERVAL,
        spacing: float = SPACING,
    ) -> None:
        self._survey = survey  # blocks; called in a thread, with the jobs whose heartbeats to refresh
        self._hub = hub
        self._stopping = stopping  # True: wake all, the process is about to end
        self._interval = interval
        self._spacing = spacing
        self._waiters: set[TriggerSubscription] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def waiting(self, waiter: TriggerSubscription) -> Iterator[TriggerSubscription]:
        """While entered, `waiter` is woken by changes."""
        self._waiters.add(waiter)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="tradewind-trigger-watch")
        try:
            yield waiter
        finally:
            self._waiters.discard(waiter)

    async def _run(self) -> None:
        with self._hub.subscribe(notifications.TRIGGERS) as subscription:
            while self._waiters:
                subscription.clear()
                if self._stopping():
                    for waiter in self._waiters:
                        waiter.wake()
                else:
                    await self._look()
                await asyncio.sleep(self._spacing)
                await subscription.wait(max(0.0, self._interval - self._spacing))

    async def _look(self) -> None:
        beating = frozenset(one.job_id for one in self._waiters if one.beating)
        try:
            found = await run_in_threadpool(self._survey, beating)
        except Exception:  # the database is away; requests that look say so to their agents
            log.warning("Triggers could not be read", exc_info=True, extra={"action": "trigger_watch"})
            return
        for waiter in self._waiters:
            waiter.judge(found)
