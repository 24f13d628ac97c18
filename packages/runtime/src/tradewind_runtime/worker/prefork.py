"""The prefork process of a worker process: imports once, forks process managers, counts attempts, and nothing else.

One thread, always: a fork copies only the thread that forks, so a second one would leave its locks held for ever in
every attempt.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import tempfile
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import msgspec
import structlog

from tradewind_protocol.attempts import Outcome
from tradewind_protocol.hosts import AttemptEnded, AttemptStarted, Configure, HostStatus, Problem
from tradewind_protocol.states import OutcomeKind
from tradewind_runtime import kernel, loggers
from tradewind_runtime.accelerators import table
from tradewind_runtime.accelerators.libraries import import_notes
from tradewind_runtime.airflow import (
    log_storage,
    site_settings,
    site_storage,
    stale_clones,
    task_fork,
    traces,
)
from tradewind_runtime.airflow import workloads as airflow_worker
from tradewind_runtime.control import Control, ControlClosed, wipe
from tradewind_runtime.worker import outcomes, process_manager, reaper, slot_pool, supervision, supervisor
from tradewind_runtime.worker.slot_process import SlotProcess

log = structlog.get_logger(__name__)

GRACE_WITHOUT_AGENT = 3.0
"""Seconds between SIGTERM and SIGKILL when the agent is gone: time for `on_kill`, none for the network."""

LAST_WORDS = 2.0
"""Seconds a supervisor has, after its task was killed at the end of the grace, to report that and close the log."""

STATUS_EVERY = 1.0


class _Line(msgspec.Struct):
    """What the prefork process reads of a line: never the secret, so that no later fork inherits it."""

    type: str
    attempt_id: str = ""
    epoch: int = 0
    reason: str = ""
    grace: float = 5.0
    now: bool = False
    kind: str = ""
    workload: _Work = msgspec.field(default_factory=lambda: _Work())

    def dag_file(self) -> import_notes.DagFile | None:
        """What a task's process will read; None for other work."""
        if self.kind != "task" or not self.workload.dag_rel_path:
            return None
        bundle = self.workload.bundle_info
        return import_notes.DagFile(bundle.name, bundle.version, self.workload.dag_rel_path)


class _Bundle(msgspec.Struct):
    name: str = ""
    version: str | None = None


class _Work(msgspec.Struct):
    dag_rel_path: str = ""
    bundle_info: _Bundle = msgspec.field(default_factory=_Bundle)


@dataclass
class _Attempt:
    """One that lives, and the process manager it is under."""

    attempt_id: UUID
    epoch: int
    slot: SlotProcess
    started_at: datetime
    dag_file: import_notes.DagFile | None
    memory_before: tuple[int, int]
    stop_reason: str | None = None
    kill_work_at: float | None = None
    kill_all_at: float | None = None

    def next_kill(self) -> float | None:
        return self.kill_all_at if self.kill_work_at is None else self.kill_work_at


def run(control: Control, configure: Configure, helpers: Collection[int] = ()) -> int:
    """Be the worker process until told to stop or until the agent is gone. Returns the process's exit code. `helpers`:
    processes of this one that are no attempt's."""
    kernel.after_fork_of_mine(control.forget)  # a fork comes in the middle of a line, with others behind it
    os.environ["AIRFLOW__CORE__HOSTNAME_CALLABLE"] = airflow_worker.HOSTNAME_CALLABLE
    airflow_worker.prepare()
    log_storage.keep_failed_uploads(configure)
    log_storage.hand_over_while_running(configure)
    fork = task_fork.TaskFork()
    fork.install()
    if configure.options.get("traces"):
        traces.warm()
    kernel.title(f"tradewind worker process {configure.agent_name}")
    kernel.adopt_orphans()  # of a process manager that was killed
    bundles, problem = site_settings.bundles()
    if problem:
        control.send(Problem(message=problem, remedy="Install what it needs, or correct `bundles`"))
        return 1
    for name in stale_clones.drop():
        log.info("The clone of another repository is removed", action="stale_clone", bundle=name)
    accelerators, switch = table.of_worker(configure), table.switch(configure)
    switch.install(*accelerators)
    with tempfile.TemporaryDirectory(prefix="tradewind-notes-") as place:
        notes = import_notes.ImportNotes(Path(place))
        work = supervision.Supervision(configure, accelerators, fork=fork, note_at=notes.place)
        forking = AttemptForks(work, accelerators)
        pool = slot_pool.SlotPool(
            notes,
            forking,
            learn=accelerators.preloaded_libraries.learns,
            attempts=accelerators.supervisor_reuse.attempts,
        )
        prefork = PreforkProcess(
            control,
            pool,
            slots=configure.slots,
            helpers=(*helpers, *accelerators.secrets_reader.pids),
        )
        forking.imported()
        control.hello(
            bundles=bundles,
            xcom=site_storage.of_this_process(),
            accelerators=switch.states,
            logs=log_storage.of_this_process(),
            canary=True,
        )
        try:
            return prefork.serve()
        finally:
            accelerators.secrets_reader.close()


class AttemptForks:
    """What is done around the forks of attempt process managers (`preloaded_process.Forking`)."""

    def __init__(self, work: supervisor.Work, accelerators: table.OfWorker) -> None:
        self._work, self._accelerators = work, accelerators

    def imported(self) -> None:
        loggers.release()
        self._accelerators.prepared_logging.renew()
        self._accelerators.immortal_objects.freeze()
        self._accelerators.shared_heap.freeze()

    def settle(self) -> None:
        self._accelerators.shared_heap.settle()

    def serve(self, control_socket: socket.socket) -> NoReturn:
        process_manager.serve(control_socket, self._work)


class PreforkProcess:
    """The attempts that run, by id. One of them is in here for exactly as long as a process of it exists."""

    def __init__(
        self, control: Control, pool: slot_pool.SlotPool, *, slots: int, helpers: Collection[int] = ()
    ) -> None:
        """`helpers`: processes of this one that are no attempt's."""
        self._control = control
        self._pool = pool
        self._slots = slots
        self._helpers = helpers
        self._attempts: dict[UUID, _Attempt] = {}
        self._stopping = False
        self._told: tuple[int, int] | None = None
        self._told_at = float("-inf")
        self._woken, self._wake = os.pipe()

    def serve(self) -> int:
        """Until stopped and empty. The agent's end counts as a stop of everything."""
        self._listen_for_signals()
        try:
            self._hear()  # what came together with the configuration is in the buffer: no poll tells of it
            while not (self._stopping and not self._attempts):
                self._tell_status()
                self._turn()
        except ControlClosed:
            log.info("The agent has exited", action="agent_gone", running=len(self._attempts))
            self._stop_everything("the agent process is gone", GRACE_WITHOUT_AGENT)
            self._wait_for_the_end()
        finally:
            self._pool.close()
        return 0

    def _turn(self) -> None:
        """Wait for one piece of news and act on it."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._woken, select.POLLIN)
        by_control = {running.slot.fileno(): running for running in self._attempts.values()}
        for fd in by_control:
            poller.register(fd, select.POLLIN)
        for each in self._pool.awaited:
            poller.register(each, select.POLLIN)
        for fd, _ in poller.poll(self._until_next()):
            if self._pool.handle(fd):
                self._kill_strays()
            elif fd == self._woken:
                os.read(self._woken, 4096)
                self._stopping = True
                self._stop_everything("the worker process was asked to stop", 5.0)
            elif fd in by_control:
                self._end(by_control[fd])
            else:
                self._hear()
        self._kill_what_is_late()

    def _hear(self) -> None:
        while (line := self._control.receive_line(0)) is not None:
            self._obey(line)
            wipe(line)

    def _obey(self, line: bytearray) -> None:
        try:
            said = msgspec.json.decode(line, type=_Line)
            if said.type == "run_attempt":
                self._start(UUID(said.attempt_id), said.epoch, said.dag_file(), line)
            elif said.type == "stop_attempt":
                self._stop(UUID(said.attempt_id), said.reason, said.grace)
            elif said.type == "stop_host":
                self._stopping = True
                if said.now:
                    self._stop_everything("the worker process was asked to stop", said.grace)
        except ValueError as problem:  # what msgspec and UUID raise
            log.error("Cannot read a line of the agent", action="line_refused", error=str(problem))

    def _start(
        self, attempt_id: UUID, epoch: int, dag_file: import_notes.DagFile | None, line: bytearray
    ) -> None:
        if attempt_id in self._attempts:
            return  # told twice
        started_at = datetime.now(timezone.utc)
        memory_before = kernel.out_of_memory_kills()
        payload, payload_end = os.pipe()
        try:
            slot = self._pool.begin(attempt_id, dag_file, payload)
        except OSError as problem:
            os.close(payload_end)
            reason = f"no process could be started for it ({problem.strerror}); the machine is out of processes or memory"
            self._report(attempt_id, _failed(epoch, reason, started_at))
            return
        finally:
            os.close(payload)
        self._attempts[attempt_id] = _Attempt(attempt_id, epoch, slot, started_at, dag_file, memory_before)
        with suppress(BrokenPipeError), os.fdopen(payload_end, "wb", buffering=0) as pipe:
            _write_all(pipe.fileno(), line)
        self._control.send(AttemptStarted(attempt_id=attempt_id, pid=slot.pid))

    def _stop(self, attempt_id: UUID, reason: str, grace: float) -> None:
        running = self._attempts.get(attempt_id)
        if running is not None and running.stop_reason is None:
            running.stop_reason, running.kill_work_at = reason[:1000], time.monotonic() + grace
            running.slot.ask_to_end()

    def _kill_what_is_late(self) -> None:
        """Those that were asked to end: first the task, so that its supervisor can report it, then everyone."""
        for running in self._attempts.values():
            now = time.monotonic()
            if running.kill_work_at is not None and now >= running.kill_work_at:
                running.slot.kill_work()
                running.kill_work_at, running.kill_all_at = None, now + LAST_WORDS
            elif running.kill_all_at is not None and now >= running.kill_all_at:
                running.slot.kill()
                running.kill_all_at = now + 1.0

    def _stop_everything(self, reason: str, grace: float) -> None:
        for attempt_id in list(self._attempts):
            self._stop(attempt_id, reason, grace)

    def _end(self, running: _Attempt) -> None:
        """News from a process manager is the end of its attempt: how it went, or nothing when it was killed."""
        word, slot = running.slot.read_result(), running.slot
        status, unkillable = 0, list(word.get("unkillable", ()) if word else ())
        del self._attempts[running.attempt_id]
        if word is None or "problem" in word or unkillable or running.stop_reason is not None:
            # Who was asked to end may still be ending, and who broke is not trusted with another one.
            status = slot.close()
            unkillable += self._kill_strays(spare=unkillable)
        else:
            self._pool.give_back(slot)
        killed = word is None or word.get("exit_code") == -signal.SIGKILL
        facts = outcomes.Ending(
            started_at=running.started_at,
            ended_at=datetime.now(timezone.utc),
            wait_status=status if word is None else 0,
            word=word,
            stop_reason=running.stop_reason,
            out_of_memory=outcomes.whose_memory(running.memory_before, kernel.out_of_memory_kills())
            if killed
            else "",
            unkillable=tuple(unkillable),
        )
        self._report(running.attempt_id, outcomes.outcome(facts, epoch=running.epoch))
        self._pool.ended(running.attempt_id, running.dag_file)

    def _kill_strays(self, spare: Sequence[int] = ()) -> list[int]:
        """Those under a process manager that is gone came to us, the next adopter above: all of them go, and no others can be
        among them. Returns whom nothing kills."""
        managers = (running.slot.pid for running in self._attempts.values())
        return reaper.kill_descendants(spare={*managers, *self._pool.pids, *self._helpers, *spare})

    def _report(self, attempt_id: UUID, outcome: Outcome) -> None:
        self._control.send(AttemptEnded(attempt_id=attempt_id, outcome=outcome))

    def _wait_for_the_end(self) -> None:
        """Without a report: its receiver is gone."""
        while self._attempts:
            poller = select.poll()
            by_control = {running.slot.fileno(): running for running in self._attempts.values()}
            for fd in by_control:
                poller.register(fd, select.POLLIN)
            for fd, _ in poller.poll(self._until_next()):
                with suppress(ControlClosed):
                    self._end(by_control[fd])
            self._kill_what_is_late()

    def _tell_status(self) -> None:
        now = time.monotonic()
        numbers = (len(self._attempts), self._slots)
        if numbers == self._told or now < self._told_at + STATUS_EVERY:
            return
        self._told, self._told_at = numbers, now
        line = f"{numbers[0]} of {numbers[1]} slots busy"
        self._control.send(HostStatus(line=line, numbers={"running": numbers[0], "slots": numbers[1]}))

    def _until_next(self) -> float | None:
        """Milliseconds until something is due; None: wait for news."""
        moments = [each.next_kill() for each in self._attempts.values()]
        moments.append(self._pool.close_idle())
        if (len(self._attempts), self._slots) != self._told:
            moments.append(self._told_at + STATUS_EVERY)
        soonest = min((moment for moment in moments if moment is not None), default=None)
        return None if soonest is None else max(0.0, soonest - time.monotonic()) * 1000 + 1

    def _listen_for_signals(self) -> None:
        for fd in (self._woken, self._wake):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: None)  # the wake-up is what counts
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the agent too, and the agent decides


def _failed(epoch: int, reason: str, started_at: datetime) -> Outcome:
    return Outcome(
        epoch=epoch,
        kind=OutcomeKind.FAILED,
        reason=reason,
        started_at=started_at,
        ended_at=datetime.now(timezone.utc),
    )


def _write_all(fd: int, line: bytearray) -> None:
    view: Any = memoryview(line)
    try:
        while view:
            written = os.write(fd, view)
            rest = view[written:]
            view.release()
            view = rest
    finally:
        view.release()
