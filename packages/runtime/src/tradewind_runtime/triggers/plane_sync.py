"""The two threads that talk to the plane, through the agent's gateway: one delivers reports, one waits for news.

They are started after the process that runs the triggers was forked, so nothing of theirs is in it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar
from uuid import UUID

from pydantic import ValidationError

from tradewind_protocol import triggers as wire
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.messages import Message
from tradewind_runtime.gateway_client import GatewayUnreachable
from tradewind_runtime.triggers.assigned_triggers import AssignedTriggers
from tradewind_runtime.triggers.outbox import Outbox

log = logging.getLogger(__name__)

TIMEOUT: Final = 120.0
"""Seconds for one request. Longer than any hold; the gateway waits for a plane that is away."""

WAIT_FIRST: Final = 0.5
WAIT_MOST: Final = 15.0

PAUSE: Final = 0.5
"""Seconds before asking again after an answer with nothing to act on: what it names is being done already."""

Answer = TypeVar("Answer", bound=Message)


class Transport(Protocol):
    """`gateway_client.Gateway`, as far as it is needed here."""

    def ask(
        self, path: str, message: Message, answer: type[Answer], *, timeout: float | None = None
    ) -> Answer: ...


@dataclass
class PlaneSync:
    """`start` once; `stop` lets both threads end after the request they are in."""

    gateway: Transport
    source: UUID
    assigned: AssignedTriggers
    outbox: Outbox
    queues: tuple[str, ...]
    capacity: int | None
    on_news: Callable[[], None]  # wakes the loop
    on_persisted: Callable[[tuple[int, ...]], None]
    working: Callable[[], bool]
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        for target in (self._deliver, self._listen):
            threading.Thread(target=target, name=f"tradewind{target.__name__}", daemon=True).start()

    def stop(self) -> None:
        """Idempotent; does not wait."""
        self._stopping.set()

    def _deliver(self) -> None:
        waits = Waits("Reports of triggers wait for the plane", self._stopping)
        most = wire.MOST_REPORTS
        while not self._stopping.is_set():
            if not self.outbox.wait_for_some(1.0):
                continue
            reports = self.outbox.batch(most)
            try:
                answer = self._ask(self._sync(reports, news=False))
            except Refused as error:
                if error.code is Code.TOO_LARGE and len(reports) > 1:
                    most = len(reports) // 2
                    continue
                waits.after(error)
                continue
            except (GatewayUnreachable, ValidationError, ValueError) as error:
                waits.after(error)
                continue
            waits.over()
            most = wire.MOST_REPORTS
            for one in answer.refused:
                log.error(
                    "The plane refused report %s: %s",
                    one.seq,
                    one.refusal.message,
                    extra={"action": "trigger_report_refused"},
                )
            self.on_persisted(self.outbox.acknowledge(answer))

    def _listen(self) -> None:
        waits = Waits("The plane does not answer which triggers to run", self._stopping)
        while not self._stopping.is_set():
            try:
                answer = self._ask(self._sync((), news=True))
            except (Refused, GatewayUnreachable, ValidationError, ValueError) as error:
                waits.after(error)
                continue
            waits.over()
            if self.assigned.arrive(answer):
                self.on_news()
            elif answer.create or answer.cancel or answer.moved:
                self._stopping.wait(PAUSE)

    def _sync(self, reports: tuple[wire.Report, ...], *, news: bool) -> wire.Sync:
        # assigned first: the loop puts a report into the outbox before it lets go of the trigger
        ids = self.assigned.ids() | self.outbox.trigger_ids()
        return wire.Sync(
            source=self.source,
            running=wire.pack_ids(ids),
            reports=reports,
            queues=self.queues,
            capacity=self.capacity,
            working=self.working(),
            news=news,
            hold=None if news else 0,
        )

    def _ask(self, sync: wire.Sync) -> wire.SyncAnswer:
        return self.gateway.ask(wire.SYNC, sync, wire.SyncAnswer, timeout=TIMEOUT)


class Waits:
    """Growing pauses with jitter after failures, and one line when they begin and when they are over."""

    def __init__(self, sentence: str, stopping: threading.Event) -> None:
        self._sentence = sentence
        self._stopping = stopping
        self._pause = WAIT_FIRST
        self._since: float | None = None

    def after(self, error: Exception) -> None:
        """Wait before the next attempt."""
        if self._since is None:
            self._since = time.monotonic()
            log.warning("%s: %s", self._sentence, error, extra={"action": "plane_unreachable"})
        self._stopping.wait(self._pause * random.uniform(0.5, 1.0))
        self._pause = min(self._pause * 2, WAIT_MOST)

    def over(self) -> None:
        """It worked."""
        self._pause = WAIT_FIRST
        if self._since is not None:
            seconds = time.monotonic() - self._since
            log.info("The plane answers again after %.1f s", seconds, extra={"action": "plane_reachable"})
            self._since = None
