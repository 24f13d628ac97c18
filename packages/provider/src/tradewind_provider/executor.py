"""Airflow's executor whose workers are agents.

The queue is a table: what the scheduler queues is there when its transaction commits, and stays there however
scheduler, API server or agents come and go. Memory holds only what Airflow's interface asks an executor to remember.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from airflow.executors.base_executor import BaseExecutor
from sqlalchemy.orm import Session, object_session

from tradewind_provider import settings, task_logs
from tradewind_provider.airflow import (
    configuration,
    database,
    jobs,
    workloads,
)
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.domain.scheduler_reports import SchedulerEvent
from tradewind_provider.services import airflow_hooks, reaper, work_queue
from tradewind_provider.services.work_queue import EndedAttempt

_RECONCILE_EVERY = 30.0  # seconds between full looks at what is live


class RemoteExecutor(BaseExecutor):
    """Queues workloads for agents and reports what became of them.

    Agents come and go, so work waits for as long as it has to: a task that was queued for longer than
    [scheduler] task_queued_timeout is not requeued and not failed. After a restart of the scheduler everything that
    runs goes on. Works beside other executors, and with several schedulers.
    """

    supports_callbacks = True
    supports_connection_test = True
    is_local = False
    is_production = True
    serve_logs = False

    def __init__(
        self, parallelism: int | None = None, team_name: str | None = None, *, clock: Clock = utc_now
    ) -> None:
        self.settings = settings.current()
        super().__init__(parallelism or self.settings.parallelism, team_name)
        self._clock = clock
        self._keys: dict[UUID, Any] = {}  # attempt → key, of what is live as far as we know
        self._attempts: Counter[Any] = Counter()  # key → its live attempts
        self._reported_running: set[UUID] = set()  # callbacks
        self._next_sweep = self._next_reconcile = 0.0  # of the monotonic clock

    # ---- Airflow's interface

    def start(self) -> None:
        """Take over what no scheduler reports any more, before Airflow looks for tasks without heartbeats."""
        airflow_hooks.install()
        with database.create_session() as db:
            now = self._clock()
            reaper.keep_tasks_alive(db, self.settings, plane_away=True, now=now)
            self._reconcile(db)

    def queue_workload(self, workload: Any, session: Session) -> None:
        """Put work into its queue, in the scheduler's transaction, so that it waits exactly when Airflow says so."""
        work = workloads.read(workload, default_queue=configuration.default_queue())
        attempt_id = work_queue.queue(
            session,
            work,
            scheduler_job_id=self._job_id,
            executor=self._alias,
            now=self._clock(),
            clock=self._clock,
        )
        self._keys[attempt_id] = workload.key
        self._attempts[workload.key] += 1
        self.running.add(workload.key)

    def trigger_tasks(self, open_slots: int) -> None:
        """Nothing: agents come for their work."""

    def trigger_connection_tests(self) -> None:
        """Nothing: agents come for their work."""

    def sync(self) -> None:
        """Tell the scheduler what ended; look after the queue every few seconds.

        The scheduler hears of an end once the mark that it did is committed. Raises what the database does, when it
        refused the same transaction [database] max_db_retries times."""
        ended = database.committed(self._mark_reported)
        self._report(ended)
        if self._has_callbacks():
            self._report_running(database.committed(self._running_callbacks))
        moment = time.monotonic()
        if moment >= self._next_sweep:
            self._next_sweep = moment + self.settings.sweep
            database.committed(self._sweep)
        if moment >= self._next_reconcile:
            self._next_reconcile = moment + _RECONCILE_EVERY
            database.committed(self._reconcile)

    def try_adopt_task_instances(self, tis: Sequence[Any]) -> Sequence[Any]:
        """Adopt every task instance an attempt answers for, running or waiting. Returns the others."""
        if not tis:
            return []
        db = object_session(tis[0])
        if db is None:
            with database.create_session() as own:
                adopted = work_queue.adopt(own, {ti.id for ti in tis}, scheduler_job_id=self._job_id)
        else:
            # the scheduler's own transaction: it holds the rows, and SQLite has one writer
            adopted = work_queue.adopt(db, {ti.id for ti in tis}, scheduler_job_id=self._job_id)
        self._next_reconcile = 0.0
        return [ti for ti in tis if ti.id not in adopted]

    def revoke_task(self, *, ti: Any) -> None:
        """Called for what is queued longer than [scheduler] task_queued_timeout.

        Raises NotImplementedError, which is Airflow's way to leave a task where it is, while the task waits for an
        agent or is with one: waiting is no fault of the task. One without a living attempt is forgotten.
        """
        with database.create_session() as db:
            if work_queue.has_unfinished(db, ti.id):
                raise NotImplementedError("the task waits for an agent")
        self.running.discard(ti.key)

    def fail_connection_test(self, key: Any) -> None:
        """Take a connection test back that Airflow has given up."""
        self.running.discard(key)
        with database.create_session() as db:
            work_queue.revoke(db, [UUID(str(key))], reason="the connection test timed out", now=self._clock())

    @property
    def slots_occupied(self) -> int:
        """None. [core] parallelism limits what schedulers' machines run at once, and agents run this executor's work;
        `slots_available` limits it by [tradewind] parallelism."""
        return 0

    @property
    def slots_available(self) -> int:
        return max(self.parallelism - len(self.running), 0)

    def get_task_log(self, ti: Any, try_number: int) -> tuple[list[str], list[str]]:
        """The log of a task that runs, from its agent. Airflow then does not look for it on a worker's own server."""
        return task_logs.while_running(ti, try_number)

    def end(self) -> None:
        """Nothing to wait for: agents go on, and the next scheduler hears of it."""

    def terminate(self) -> None:
        """As `end`."""

    # ---- what they do

    @property
    def _job_id(self) -> int | None:
        return None if self.job_id is None else int(self.job_id)

    @property
    def _alias(self) -> str | None:
        return None if self.name is None else (self.name.alias or self.name.module_path)

    def _mark_reported(self, db: Session) -> list[EndedAttempt]:
        return work_queue.ended(db, scheduler_job_id=self._job_id, now=self._clock())

    def _report(self, ended: Sequence[EndedAttempt]) -> None:
        for one in ended:
            self._forget(one.attempt_id, one.key)
            if one.event is SchedulerEvent.SUCCESS:
                self.success(one.key, one.reason)
            elif one.event is SchedulerEvent.FAILED:
                self.fail(one.key, one.reason)

    def _running_callbacks(self, db: Session) -> dict[UUID, Any]:
        return work_queue.running_callbacks(db, scheduler_job_id=self._job_id)

    def _report_running(self, callbacks: Mapping[UUID, Any]) -> None:
        for attempt_id in callbacks.keys() - self._reported_running:
            self.running_state(callbacks[attempt_id])
        self._reported_running = set(callbacks)

    def _sweep(self, db: Session) -> None:
        """The part of the sweep that needs no agent to be reachable from here. Agents are given up by API servers
        alone: while none runs, no agent can be heard, and none is to blame."""
        now = self._clock()
        reaper.expire_offers(db, now=now)
        work_queue.revoke_unwanted(db, scheduler_job_id=self._job_id, now=now)
        reaper.keep_tasks_alive(db, self.settings, plane_away=False, now=now)
        if self._job_id is not None:
            running = jobs.running_schedulers(db) | {self._job_id}
            work_queue.adopt_orphans(db, running_jobs=running, scheduler_job_id=self._job_id)

    def _reconcile(self, db: Session) -> None:
        """Remember what is live, as the table says: a transaction that queued work may have been rolled back."""
        self._keys = work_queue.keys_of_unfinished(db, scheduler_job_id=self._job_id)
        self._attempts = Counter(self._keys.values())
        self.running = set(self._attempts)

    def _forget(self, attempt_id: UUID, key: Any) -> None:
        """Drop an attempt; its key goes too, unless the task came back under it as a later attempt."""
        if self._keys.pop(attempt_id, None) is not None:
            self._attempts[key] -= 1
        if self._attempts[key] <= 0:
            del self._attempts[key]
            self.running.discard(key)

    def _has_callbacks(self) -> bool:
        return any(not hasattr(key, "dag_id") for key in self.running)
