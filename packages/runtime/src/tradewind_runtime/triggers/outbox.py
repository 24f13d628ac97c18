"""What triggers reported and the plane has not committed yet."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from tradewind_protocol import triggers as wire

LARGEST_REQUEST = 4 * 1024 * 1024
"""Bytes of reports in one request, about. A single report is smaller than `triggers.LARGEST_EVENT`."""


@dataclass(frozen=True)
class Entry:
    """A report, and what waits for it to be committed."""

    report: wire.Report
    size: int
    persist_seq: (
        int | None
    )  # of Airflow's shared streams: their broker may forget the message once this is stored


class Outbox:
    """Reports in the order they happened, kept until acknowledged. Lives as long as the process: a report lost with the
    process is made again, because its trigger is still waited for and will be run again."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._seq = 0
        self._news = threading.Condition()

    def put_event(self, trigger_id: int, event: wire.Event, *, persist_seq: int | None = None) -> None:
        """Add what a trigger fired."""
        self._put(trigger_id, event=event, failure=None, persist_seq=persist_seq)

    def put_failure(self, trigger_id: int, failure: wire.Failure) -> None:
        """Add that a trigger ended without an event."""
        self._put(trigger_id, event=None, failure=failure, persist_seq=None)

    def _put(
        self,
        trigger_id: int,
        *,
        event: wire.Event | None,
        failure: wire.Failure | None,
        persist_seq: int | None,
    ) -> None:
        with self._news:
            self._seq += 1
            report = wire.Report(seq=self._seq, trigger_id=trigger_id, event=event, failure=failure)
            self._entries.append(Entry(report, len(report.model_dump_json()), persist_seq))
            self._news.notify_all()

    def batch(self, most: int = wire.MOST_REPORTS) -> tuple[wire.Report, ...]:
        """The oldest reports, as many as fit in one request. They stay until acknowledged."""
        chosen: list[wire.Report] = []
        size = 0
        with self._news:
            for entry in self._entries:
                size += entry.size
                if chosen and (size > LARGEST_REQUEST or len(chosen) >= most):
                    break
                chosen.append(entry.report)
        return tuple(chosen)

    def acknowledge(self, answer: wire.SyncAnswer) -> tuple[int, ...]:
        """Forget what the plane committed or refused. The shared-stream numbers of what it committed. Idempotent."""
        refused = {one.seq for one in answer.refused}
        persisted: list[int] = []
        with self._news:
            while self._entries and self._entries[0].report.seq <= answer.applied_through:
                entry = self._entries.popleft()
                if entry.persist_seq is not None and entry.report.seq not in refused:
                    persisted.append(entry.persist_seq)
            self._news.notify_all()
        return tuple(persisted)

    def trigger_ids(self) -> set[int]:
        """Triggers with a report that waits."""
        with self._news:
            return {entry.report.trigger_id for entry in self._entries}

    def __len__(self) -> int:
        return len(self._entries)

    def wait_for_some(self, timeout: float) -> bool:
        """True as soon as something waits to be sent, False after `timeout` seconds."""
        with self._news:
            return self._news.wait_for(lambda: bool(self._entries), timeout)

    def wait_until_empty(self, timeout: float) -> bool:
        """True as soon as everything is acknowledged, False after `timeout` seconds."""
        with self._news:
            return self._news.wait_for(lambda: not self._entries, timeout)
