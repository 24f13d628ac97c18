"""Notifications within the plane: `publish` in a transaction, `Hub.subscribe` in an API server.

A notification says only that something of a topic may have changed; a subscriber looks in the database. One may be lost
(a process that just died, a database that restarts), so waiting always has a timeout and a sweep looks anyway.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final

from sqlalchemy.orm import Session

from tradewind_provider import aiotasks
from tradewind_provider.notifications import transport

log = logging.getLogger(__name__)

WORK: Final = "work"  # attempts are queued, or a free one can be claimed again
TRIGGERS: Final = "triggers"  # triggers were made, cancelled or unassigned
DAGS: Final = "dags"  # a file is to be parsed, or a Dag-processor callback waits
AGENTS: Final = (
    "agents"  # a session was opened or ended, a command waits, an attempt was taken from its agent
)

ANYTHING: Final = "*"  # notifications may have been missed: of any topic


def publish(session: Session, topic: str) -> None:
    """Wake every subscription to `topic`, in every API server, once the transaction of `session` commits.

    Nothing is sent when it rolls back. Cheap enough to call several times in one transaction.
    """
    transport.send_at_commit(session, topic)


def dags_changed(session: Session) -> None:
    """Publish that a Dag processor has something to do."""
    publish(session, DAGS)


class Subscription:
    """Remembers notifications of its topics, so that none is lost between looking and waiting.

    Use: `with hub.subscribe(WORK) as subscription:`, then in a loop: `clear()`, look, `await wait(timeout)`.
    """

    def __init__(self, hub: Hub, topics: frozenset[str]) -> None:
        self.topics = topics
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._notified = asyncio.Event()

    def __enter__(self) -> Subscription:
        self._hub._add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub._remove(self)

    def clear(self) -> None:
        """Forget the notifications so far. Call it before looking, never after."""
        self._notified.clear()

    @property
    def notified(self) -> bool:
        """Whether there was a notification since `clear`."""
        return self._notified.is_set()

    async def wait(self, timeout: float | None) -> bool:
        """True as soon as there is a notification, or was one since `clear`; False after `timeout` seconds without."""
        try:
            await asyncio.wait_for(self._notified.wait(), timeout)
        except asyncio.TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._notified.set)
        except RuntimeError:  # the subscriber's loop is closed: nothing waits there
            return


class Hub:
    """The subscriptions of one process. Every method but `wait` may be called from any thread."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._lock = threading.Lock()

    def subscribe(self, *topics: str) -> Subscription:
        """A subscription to these topics; it gets notifications once it is entered."""
        return Subscription(self, frozenset(topics))

    async def wait(self, *topics: str, timeout: float | None) -> bool:
        """True when there is a notification of one of `topics` from now on, False after `timeout` seconds without."""
        with self.subscribe(*topics) as subscription:
            return await subscription.wait(timeout)

    def wake(self, topic: str) -> None:
        """Wake every subscription of this process to `topic`; `ANYTHING` wakes all."""
        with self._lock:
            woken = [one for one in self._subscriptions if topic == ANYTHING or topic in one.topics]
        for subscription in woken:
            subscription._wake()

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        """While entered, notifications of any process reach this hub."""
        task = asyncio.create_task(transport.receive(self.wake), name="tradewind-notifications")
        task.add_done_callback(_log_end)
        try:
            yield
        finally:
            await aiotasks.cancel(task)

    def _add(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions.add(subscription)

    def _remove(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions.discard(subscription)


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error(
            "Notifications of other processes are no longer received; work waits for the sweep: %s",
            error,
            extra={"action": "news_ended"},
        )
