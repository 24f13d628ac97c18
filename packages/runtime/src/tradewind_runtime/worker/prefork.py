"""The prefork process: forks process managers, hands each attempt to one, and reports how it ended.

One thread, always: a fork copies only the thread that forks, so a second one would leave its locks held for ever in
every attempt.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import structlog

from tradewind_protocol.attempts import Outcome
from tradewind_protocol.hosts import AttemptEnded, AttemptStarted, HostStatus
from tradewind_protocol.states import OutcomeKind
from tradewind_runtime import kernel
from tradewind_runtime.accelerators.libraries import import_notes
from tradewind_runtime.control import Control, ControlClosed, wipe
from tradewind_runtime.worker import reaper, slot_pool
from tradewind_runtime.worker.agent_line import AgentLine
from tradewind_runtime.worker.live_attempt import LiveAttempt

log = structlog.get_logger(__name__)

GRACE_WITHOUT_AGENT = 3.0
"""Seconds between SIGTERM and SIGKILL when the agent is gone: time for `on_kill`, none for the network."""

STATUS_EVERY = 1.0

_ASKED = "the worker process was asked to stop"


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
        self._attempts: dict[UUID, LiveAttempt] = {}
        self._stopping = False
        self._reported: tuple[int, int] | None = None
        self._reported_at = float("-inf")
        self._woken, self._wake = os.pipe()

    def serve(self) -> int:
        """Until stopped and empty. The agent's end counts as a stop of everything."""
        self._listen_for_signals()
        try:
            self._read_agent()  # what came together with the configuration is in the buffer: no poll tells of it
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
                self._stop_everything(_ASKED, 5.0)
            elif fd in by_control:
                self._end(by_control[fd])
            else:
                self._read_agent()
        self._kill_what_is_late()

    def _read_agent(self) -> None:
        while (line := self._control.receive_line(0)) is not None:
            self._carry_out(line)
            wipe(line)

    def _carry_out(self, line: bytearray) -> None:
        try:
            message = AgentLine.read(line)
            if message.type == "run_attempt":
                self._start(UUID(message.attempt_id), message.epoch, message.dag_file(), line)
            elif message.type == "stop_attempt":
                if (running := self._attempts.get(UUID(message.attempt_id))) is not None:
                    running.stop(message.reason, message.grace)
            elif message.type == "stop_host":
                self._stopping = True
                if message.now:
                    self._stop_everything(_ASKED, message.grace)
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
        self._attempts[attempt_id] = LiveAttempt(attempt_id, epoch, slot, started_at, dag_file, memory_before)
        # Broken when the process manager was killed meanwhile, which tells of itself.
        with suppress(BrokenPipeError), os.fdopen(payload_end, "wb", buffering=0) as pipe:
            _write_all(pipe.fileno(), line)
        self._control.send(AttemptStarted(attempt_id=attempt_id, pid=slot.pid))

    def _kill_what_is_late(self) -> None:
        for running in self._attempts.values():
            running.kill_if_late()

    def _stop_everything(self, reason: str, grace: float) -> None:
        for running in self._attempts.values():
            running.stop(reason, grace)

    def _end(self, running: LiveAttempt) -> None:
        """A process manager has sent its result, or was killed: either way the attempt has ended."""
        result, slot = running.slot.read_result(), running.slot
        status, unkillable = 0, list(result.get("unkillable", ()) if result else ())
        del self._attempts[running.attempt_id]
        if result is None or "problem" in result or unkillable or running.stop_reason is not None:
            # A manager that is stopping or has failed gets no further attempt.
            status = slot.close()
            unkillable += self._kill_strays(spare=unkillable)
        else:
            self._pool.give_back(slot)
        outcome = running.outcome(result, wait_status=status, unkillable=unkillable)
        self._report(running.attempt_id, outcome)
        self._pool.ended(running.attempt_id, running.dag_file)

    def _kill_strays(self, spare: Sequence[int] = ()) -> list[int]:
        """Kill what a process manager that has ended left behind: the kernel has made this process the parent. Returns the pids
        that could not be killed."""
        managers = (running.slot.pid for running in self._attempts.values())
        return reaper.kill_descendants(spare={*managers, *self._pool.pids, *self._helpers, *spare})

    def _report(self, attempt_id: UUID, outcome: Outcome) -> None:
        self._control.send(AttemptEnded(attempt_id=attempt_id, outcome=outcome))

    def _wait_for_the_end(self) -> None:
        """Wait until every attempt has ended. None is reported: the agent is gone."""
        while self._attempts:
            poller = select.poll()
            by_control = {running.slot.fileno(): running for running in self._attempts.values()}
            for fd in by_control:
                poller.register(fd, select.POLLIN)
            for fd, _ in poller.poll(self._until_next()):
                with suppress(ControlClosed):  # no receiver is left for the report
                    self._end(by_control[fd])
            self._kill_what_is_late()

    def _tell_status(self) -> None:
        now = time.monotonic()
        numbers = (len(self._attempts), self._slots)
        if numbers == self._reported or now < self._reported_at + STATUS_EVERY:
            return
        self._reported, self._reported_at = numbers, now
        line = f"{numbers[0]} of {numbers[1]} slots busy"
        self._control.send(HostStatus(line=line, numbers={"running": numbers[0], "slots": numbers[1]}))

    def _until_next(self) -> float | None:
        """Milliseconds until something is due; None: wait for news."""
        moments = [each.next_kill() for each in self._attempts.values()]
        moments.append(self._pool.close_idle())
        if (len(self._attempts), self._slots) != self._reported:
            moments.append(self._reported_at + STATUS_EVERY)
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
