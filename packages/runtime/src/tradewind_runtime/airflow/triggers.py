"""Airflow's triggerer with a plane instead of a database: `TriggerRunnerSupervisor`, which forks the `trigger_runner`.

`Supervisor` overrides the methods its docstrings name for subclasses without a database.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import structlog
from airflow.configuration import conf
from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs import triggerer_job_runner as stock
from airflow.triggers.base import TriggerEvent

from tradewind_protocol import triggers as wire
from tradewind_runtime import loggers
from tradewind_runtime.airflow import callables, trigger_workloads
from tradewind_runtime.airflow.trigger_reports import TriggerReports
from tradewind_runtime.airflow.trigger_runner import Runner
from tradewind_runtime.triggers.assigned_triggers import AssignedTriggers
from tradewind_runtime.triggers.log_socket import LogSocket
from tradewind_runtime.triggers.logs import OpenFiles

if TYPE_CHECKING:
    from _typeshed import HasFileno
    from airflow.sdk.api.client import Client
    from structlog.typing import FilteringBoundLogger

log = logging.getLogger(__name__)

DEADLOCKS_BORNE = 5
"""A process that has been silent for this many times [triggerer] runner_health_check_threshold is given up."""


@attrs.define(kw_only=True)
class Supervisor(stock.TriggerRunnerSupervisor):
    """The process that talks to the plane. Everything but `wake` belongs to the thread that runs it."""

    agent_name: str
    assigned: AssignedTriggers
    reports: TriggerReports
    open_client: Callable[[], Client] = attrs.field(repr=False)
    on_tick: Callable[[Supervisor], None] = attrs.field(default=lambda _: None, repr=False)

    working: bool = attrs.field(default=True, init=False)
    problem: str = attrs.field(default="", init=False)
    _arrived: dict[int, wire.CreateTrigger] = attrs.field(factory=dict, init=False, repr=False)
    _tasks: dict[int, TaskInstanceDTO] = attrs.field(factory=dict, init=False, repr=False)
    _callbacks: set[int] = attrs.field(factory=set, init=False, repr=False)
    _fired: set[int] = attrs.field(factory=set, init=False, repr=False)
    _files: OpenFiles = attrs.field(factory=OpenFiles, init=False, repr=False)
    _next_counted_heartbeat: float = attrs.field(default=0.0, init=False, repr=False)
    _wake_writer: socket.socket | None = attrs.field(default=None, init=False, repr=False)
    _logs: LogSocket | None = attrs.field(default=None, init=False, repr=False)

    @classmethod
    def run_in_process(cls) -> None:
        Runner().run()

    def _register_pipe_readers(
        self,
        stdout: socket.socket,
        stderr: socket.socket,
        requests: socket.socket,
        logs: socket.socket,
        **options: Any,
    ) -> None:
        super()._register_pipe_readers(stdout, stderr, requests, logs, **options)
        handle, on_close = self.selector.get_key(logs).data
        self._logs = LogSocket(logs, handle)
        self.selector.modify(logs, selectors.EVENT_READ, (self._logs.read, on_close))

    def _handle_request(self, msg: Any, log: FilteringBoundLogger, req_id: int) -> None:
        """As Airflow's; a finished trigger's lines are read first. They were written before this message was, to another socket,
        and what is read once the trigger is forgotten is in no file, nor in what is uploaded."""
        if isinstance(msg, stock.messages.TriggerStateChanges) and msg.finished and self._logs is not None:
            self._logs.drain()
        super()._handle_request(msg, log, req_id)

    def listen_to(self, sock: socket.socket | HasFileno, handle: Callable[[], object]) -> None:
        """Call `handle` from the loop whenever `sock` can be read."""

        def readable(_: Any) -> bool:
            handle()
            return True

        self.selector.register(sock, selectors.EVENT_READ, (readable, lambda _: None))

    def open_wake_up_pipe(self) -> None:
        """Make `wake` work."""
        writer, reader = socket.socketpair()
        writer.setblocking(False)
        reader.setblocking(False)
        self._wake_writer = writer

        self.listen_to(reader, lambda: reader.recv(4096))

    def wake(self) -> None:
        """Let the loop look at once. From any thread."""
        if self._wake_writer is not None:
            with suppress(BlockingIOError):  # full: the loop has not read the wake-ups before this one
                self._wake_writer.send(b"\0")

    def make_client(self) -> Client:
        return self.open_client()

    def metric_tags(self) -> dict[str, str]:
        return {"hostname": self.agent_name}

    def clean_unused(self) -> None:
        """Nothing: the plane removes triggers that no task waits for."""

    def load_triggers(self) -> None:
        """Take what the plane wants. Never blocks."""
        held = self.running_triggers | {one.id for one in self.creating_triggers}
        # stops that were carried out: nothing with that number runs any more
        self.cancelling_triggers -= {one for one in self.cancelling_triggers if abs(one) not in held}
        for gone in self._tasks.keys() - held:
            del self._tasks[gone]
        self._fired &= held
        self._callbacks &= held
        arrived = self.assigned.take(held, {abs(one) for one in self.cancelling_triggers})
        self._arrived = {one.id: one for one in arrived.create}
        if self._arrived:
            self.creating_triggers.extend(self.build_trigger_workloads(set(self._arrived)))
            self._arrived = {}
        # A task's trigger that fired has done its work and is on its way out: it was not killed.
        quietly = arrived.moved | (arrived.cancel & self._fired)
        self.cancelling_triggers |= {-one for one in quietly & held}
        self.cancelling_triggers |= (arrived.cancel - quietly) & held

    def build_trigger_workloads(self, new_trigger_ids: set[int]) -> list[RunTrigger]:
        """Build workloads of what has just arrived. One that cannot be read is reported as failed."""
        built: list[RunTrigger] = []
        for trigger_id in sorted(new_trigger_ids):
            create = self._arrived[trigger_id]
            try:
                one = trigger_workloads.workload(create)
            except (ValueError, callables.NotForThePlane) as error:
                self.on_trigger_failure(trigger_id, [f"The trigger cannot run: {error}\n"])
                continue
            if one.ti is None and not create.watched_assets:
                self._callbacks.add(trigger_id)
            if one.ti is not None:
                self._tasks[trigger_id] = one.ti
                self.logger_cache[trigger_id] = trigger_workloads.LogFile(
                    log_path=trigger_workloads.log_path(create, self.id), ti=one.ti, files=self._files
                )
            built.append(one)
        return built

    def handle_events(self) -> None:
        """Hand events to the outbox. Their shared-stream numbers are confirmed when the plane has committed them."""
        while self.events:
            entry = self.events.popleft()
            self._report(entry.trigger_id, entry.event, entry.persist_seq)
            stock.stats.incr("triggers.succeeded")

    def on_trigger_event(self, trigger_id: int, event: TriggerEvent) -> None:
        self._report(trigger_id, event, None)

    def on_trigger_failure(self, trigger_id: int, exc: Sequence[str] | None) -> None:
        self.reports.failure(trigger_id, exc)

    def _report(self, trigger_id: int, event: TriggerEvent, persist_seq: int | None) -> None:
        ti = self._tasks.get(trigger_id)
        if ti is not None:
            self._fired.add(trigger_id)
        self.reports.event(
            trigger_id, event, ti=ti, of_callback=trigger_id in self._callbacks, persist_seq=persist_seq
        )

    def heartbeat(self) -> None:
        """The requests to the plane are the heartbeat; they say whether the triggers' event loop is alive."""
        silence = time.monotonic() - self._last_runner_comms
        threshold = self.runner_health_check_threshold
        worked, self.working = self.working, not 0 < threshold < silence
        if worked and not self.working:
            log.error(
                "The triggers' event loop has been silent for %.0f s: a trigger blocks it. Another triggerer may take over its triggers",
                silence,
                extra={"action": "trigger_loop_silent"},
            )
        if 0 < threshold * DEADLOCKS_BORNE < silence:
            self.problem = (
                f"the triggers' event loop has been silent for {silence:.0f} s: a trigger blocks it"
            )
        if self.working and time.monotonic() >= self._next_counted_heartbeat:
            self._next_counted_heartbeat = time.monotonic() + conf.getfloat("triggerer", "job_heartbeat_sec")
            stock.stats.incr("triggerer_heartbeat")
        self.on_tick(self)

    def end(self, number: signal.Signals, *, seconds: float) -> None:
        """Signal the process that runs triggers and serve its requests until it ends, for `seconds` at most. Idempotent.

        Not Airflow's `kill`, which sleeps to the end of its delay when the pipes close a moment before the process can
        be reaped.
        """
        if not self.is_alive():
            return
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(self.pid, number)
        deadline = time.monotonic() + seconds
        while self.is_alive() and time.monotonic() < deadline:
            self._service_subprocess(0.1, expect_signal=number)

    def should_stop(self) -> bool:
        return self.stop or bool(self.problem)


def start(
    *,
    agent_name: str,
    capacity: int,
    assigned: AssignedTriggers,
    reports: TriggerReports,
    open_client: Callable[[], Client],
    on_tick: Callable[[Supervisor], None],
    in_child: Callable[[], None] | None = None,
) -> Supervisor:
    """Fork the process that runs triggers, which calls `in_child` before it runs any. Call it before any thread is started."""
    stock.stats.initialize(
        factory=stock.stats_utils.get_stats_factory(),
        export_legacy_names=conf.getboolean("metrics", "legacy_names_on"),
    )
    loggers.release()
    kind = Supervisor if in_child is None else _beginning_with(in_child)
    supervisor = kind.start(
        logger=structlog.get_logger(logger_name="tradewind.triggerer"),
        capacity=capacity,
        agent_name=agent_name,
        assigned=assigned,
        reports=reports,
        open_client=open_client,
        on_tick=on_tick,
    )
    supervisor.open_wake_up_pipe()
    return supervisor


def _beginning_with(action: Callable[[], None]) -> type[Supervisor]:
    """A supervisor whose process begins with that. It may take locks: Python has made those anew that the fork found taken."""

    class Beginning(Supervisor):
        @classmethod
        def run_in_process(cls) -> None:
            action()
            super().run_in_process()

    return Beginning
