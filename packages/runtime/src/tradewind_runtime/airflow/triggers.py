"""Airflow's triggerer with a plane instead of a database: `TriggerRunnerSupervisor` and what it forks.

`Supervisor` overrides the methods its docstrings name for subclasses without a database. `Runner`, in the forked
process, corrects what would do harm far from an operator's eyes: see each method.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import structlog
from airflow.configuration import conf
from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs import triggerer_job_runner as stock
from airflow.models.crypto import get_fernet
from airflow.models.trigger import Trigger
from airflow.serialization.decoders import smart_decode_trigger_kwargs
from airflow.triggers.base import BaseTaskEndEvent, BaseTrigger, TriggerEvent
from airflow.triggers.callback import PAYLOAD_BODY_KEY, PAYLOAD_STATUS_KEY, CallbackTrigger

from tradewind_protocol import boundary, values
from tradewind_protocol import triggers as wire
from tradewind_runtime import loggers
from tradewind_runtime.airflow import callables, secrets_masker
from tradewind_runtime.triggers.assigned_triggers import AssignedTriggers
from tradewind_runtime.triggers.log_socket import LogSocket
from tradewind_runtime.triggers.logs import FileLogger, OpenFiles
from tradewind_runtime.triggers.outbox import Outbox

if TYPE_CHECKING:
    from _typeshed import HasFileno
    from airflow.sdk.api.client import Client
    from structlog.typing import FilteringBoundLogger

log = logging.getLogger(__name__)

DEADLOCKS_BORNE = 5
"""A process that has been silent for this many times [triggerer] runner_health_check_threshold is given up."""

IMPORTED_FROM = (
    "a triggerer imports triggers from installed packages and PYTHONPATH, as Airflow's does, and not from a Dag bundle. "
    "Install them in the agent's task environment, or name their folder in PYTHONPATH of its `env`"
)


def workload(create: wire.CreateTrigger) -> RunTrigger:
    """What the plane sent, in Airflow's class, its arguments under this process's own key."""
    return RunTrigger(
        id=create.id,
        classpath=create.classpath,
        encrypted_kwargs=get_fernet().encrypt(create.arguments.encode()).decode(),
        ti=None if create.ti is None else TaskInstanceDTO.model_validate(create.ti),
        timeout_after=create.timeout_after,
        dag_data=create.dag_data,
        dag_run_data=create.dag_run_data,
        watched_assets=create.watched_assets,
    )


def _must_be_declared(create: wire.CreateTrigger) -> None:
    """Raises NotForThePlane for a trigger that the gateway found not to be the site's own."""
    try:
        arguments = json.loads(create.arguments)
    except ValueError:
        return  # told where it is built
    callables.judge_declaration(arguments)


def packed(event: TriggerEvent, store: Callable[[str, Any], Any]) -> wire.Event:
    """The event as it travels. `store(key, value)` is what to send of an XCom. Raises TypeError or ValueError for
    what cannot."""
    if isinstance(event, BaseTaskEndEvent):
        xcoms = {key: values.pack(store(key, value)) for key, value in (event.xcoms or {}).items()}
        return wire.Event(end_state=wire.EndState(event.task_instance_state.value), xcoms=xcoms or None)
    return wire.Event(payload=values.pack(event.payload))


def stored_at_site(ti: TaskInstanceDTO, key: str, value: Any) -> Any:
    """Put an XCom value where the site's XCom backend puts it; what that wants the plane to know of it."""
    from airflow.sdk.execution_time.xcom import XCom

    return XCom.serialize_value(
        value, key=key, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index
    )


class LogFile(stock.TriggerLoggingFactory):
    """As Airflow's, but the file is open only while it is written to, and a second trigger of one task adds to it."""

    def __init__(self, *, log_path: str, ti: TaskInstanceDTO, files: OpenFiles) -> None:
        self.log_path = log_path
        self.ti = ti
        self._files = files
        self._path: Path | None = None

    def __call__(self, processors: Any) -> Any:
        if not hasattr(self, "bound_logger"):
            from airflow.sdk.log import init_log_file

            self._path = init_log_file(self.log_path)
            underlying = FileLogger(self._path, self._files)
            self.bound_logger = structlog.wrap_logger(underlying, processors=processors).bind()
        return self.bound_logger

    def close(self) -> None:
        if self._path is not None:
            self._files.close(self._path)


class Runner(stock.TriggerRunner):
    """The process that runs the triggers."""

    def __init__(self) -> None:
        super().__init__()
        self._stopped: set[int] = set()

    async def create_triggers(self) -> None:
        """As Airflow's, which catches only TypeError: any other error in one trigger's constructor, or in reading its
        arguments, ends the process and with it every other trigger, again and again."""
        arrived = deque(self.to_create)
        self.to_create.clear()
        while arrived:
            one = arrived.popleft()
            self.to_create.append(one)
            try:
                self._judge(one)
                await super().create_triggers()
            except Exception as error:
                self.log.error(
                    "Trigger failed to start", error=error, trigger_id=one.id, classpath=one.classpath
                )
                self.to_create.clear()
                self.failed_triggers.append((one.id, error))

    def get_trigger_by_classpath(self, classpath: str) -> type[BaseTrigger]:
        """As Airflow's, for classes that are triggers: it would call whatever else the plane named."""
        callables.judge_trigger_module(classpath)
        try:
            found = super().get_trigger_by_classpath(classpath)
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"{error}: {IMPORTED_FROM}", name=error.name) from error
        callables.judge_trigger(classpath, found)
        return found

    def _judge(self, one: RunTrigger) -> None:
        """Raises NotForThePlane for a callback the plane may not have called."""
        try:
            found = self.get_trigger_by_classpath(one.classpath)
        except BaseException:  # Airflow comes to it next, and fails the trigger with it
            return
        if not issubclass(found, CallbackTrigger):
            return
        arguments = smart_decode_trigger_kwargs(Trigger._decrypt_kwargs(one.encrypted_kwargs))
        callables.judge_callback(str(arguments.get("callback_path")))

    async def cancel_triggers(self) -> None:
        """As Airflow's, once for each trigger: a second cancellation would end the `on_kill` the first one began.

        A negative number is a trigger that another agent runs now: it is ended as at a shutdown, without `on_kill`,
        which would kill the job the other one waits for.
        """
        self._stopped &= self.triggers.keys()
        while self.to_cancel:
            number = self.to_cancel.popleft()
            if (details := self.triggers.get(abs(number))) is None or abs(number) in self._stopped:
                continue
            self._stopped.add(abs(number))
            details["task"].cancel(*(() if number < 0 else (stock._USER_ACTION_CANCEL_MSG,)))

    def process_trigger_events(self, finished_ids: list[int]) -> stock.messages.TriggerStateChanges:
        """As Airflow's; a trigger that never started counts as finished too, else it is held for ever."""
        never = [
            one for one, _ in self.failed_triggers if one not in self.triggers and one not in finished_ids
        ]
        return super().process_trigger_events([*finished_ids, *never])


@attrs.define(kw_only=True)
class Supervisor(stock.TriggerRunnerSupervisor):
    """The process that talks to the plane. Everything but `wake` belongs to the thread that runs it."""

    agent_name: str
    assigned: AssignedTriggers
    outbox: Outbox
    open_client: Callable[[], Client] = attrs.field(repr=False)
    strict: bool = True
    masks: bool = True
    """Whether what triggers say is masked, and tracebacks lose the lines of code they quote."""
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

    def listen_to(self, sock: socket.socket | HasFileno, handle: Callable[[], None]) -> None:
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

        def heard() -> None:
            reader.recv(4096)

        self.listen_to(reader, heard)

    def wake(self) -> None:
        """Let the loop look at once. From any thread."""
        if self._wake_writer is not None:
            with suppress(BlockingIOError):  # it rings already
                self._wake_writer.send(b"\0")

    def make_client(self) -> Client:
        return self.open_client()

    def metric_tags(self) -> dict[str, str]:
        return {"hostname": self.agent_name}

    def clean_unused(self) -> None:
        """The plane does."""

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
                _must_be_declared(create)
                one = workload(create)
            except (ValueError, callables.NotForThePlane) as error:
                self.on_trigger_failure(trigger_id, [f"The trigger cannot run: {error}\n"])
                continue
            if one.ti is None and not create.watched_assets:
                self._callbacks.add(trigger_id)
            if one.ti is not None:
                self._tasks[trigger_id] = one.ti
                self.logger_cache[trigger_id] = LogFile(
                    log_path=self._log_path(create), ti=one.ti, files=self._files
                )
            built.append(one)
        return built

    def _log_path(self, create: wire.CreateTrigger) -> str:
        """As Airflow's, next to the task's log. Never outside the log directory, whatever the plane says."""
        path = Path(create.log_path)
        if not create.log_path or path.is_absolute() or ".." in path.parts:
            path = Path("triggers") / str(create.id)
        return f"{path}.trigger.{self.id}.log"

    def handle_events(self) -> None:
        """Hand events to the outbox. Their shared-stream numbers are confirmed when the plane has committed them."""
        while self.events:
            entry = self.events.popleft()
            self._report(entry.trigger_id, entry.event, entry.persist_seq)
            stock.stats.incr("triggers.succeeded")

    def on_trigger_event(self, trigger_id: int, event: TriggerEvent) -> None:
        self._report(trigger_id, event, None)

    def _report(self, trigger_id: int, event: TriggerEvent, persist_seq: int | None) -> None:
        ti = self._tasks.get(trigger_id)

        def store(key: str, value: Any) -> Any:
            return stored_at_site(ti, key, value) if self.strict and ti is not None else value

        if ti is not None:
            self._fired.add(trigger_id)
        try:
            ready = packed(self._told(trigger_id, event), store)
        except Exception as error:
            self.on_trigger_failure(
                trigger_id, [f"The trigger's event cannot be sent: {type(error).__name__}: {error}\n"]
            )
            return
        size = len(ready.model_dump_json())
        if size > wire.LARGEST_EVENT:
            text = f"The trigger's event has {size} bytes; {wire.LARGEST_EVENT} are allowed. Put the data into storage "
            self.on_trigger_failure(trigger_id, [text + "and fire where it is.\n"])
            return
        self.outbox.put_event(trigger_id, ready, persist_seq=persist_seq)

    def _told(self, trigger_id: int, event: TriggerEvent) -> TriggerEvent:
        """The event as it may leave: without secrets that Airflow knows, and of a callback without what it returned."""
        if not self.masks or isinstance(event, BaseTaskEndEvent):
            return event
        payload = event.payload
        if trigger_id in self._callbacks and isinstance(payload, dict):
            body = payload.get(PAYLOAD_BODY_KEY)
            failed = payload.get(PAYLOAD_STATUS_KEY) == "failed"
            payload = {
                **payload,
                PAYLOAD_BODY_KEY: boundary.without_quoted_source(str(body)) if failed else None,
            }
        return TriggerEvent(secrets_masker.masked(payload))

    def on_trigger_failure(self, trigger_id: int, exc: Sequence[str] | None) -> None:
        if exc is not None and self.masks:
            exc = boundary.without_source(secrets_masker.masked("".join(exc))).splitlines(keepends=True)
        traceback = None if exc is None else tuple(line[:4000] for line in exc[-wire.MOST_TRACEBACK :])
        self.assigned.rest(trigger_id)
        self.outbox.put_failure(trigger_id, wire.Failure(traceback=traceback))

    def heartbeat(self) -> None:
        """The requests to the plane are the heartbeat; they say whether the triggers' event loop is alive."""
        silence = time.monotonic() - self._last_runner_comms
        threshold = self.runner_health_check_threshold
        worked, self.working = self.working, not 0 < threshold < silence
        if worked and not self.working:
            log.error(
                "The triggers' event loop has been silent for %.0f s: a trigger blocks it. Others may take over",
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
        """Signal the process that runs triggers and hear it out, for `seconds` at most. Idempotent.

        Not Airflow's `kill`, which sleeps to the end of its delay when the pipes close a moment before the process can
        be reaped.
        """
        if not self.is_alive():
            return
        with suppress(ProcessLookupError):
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
    outbox: Outbox,
    open_client: Callable[[], Client],
    strict: bool,
    masks: bool,
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
        outbox=outbox,
        open_client=open_client,
        strict=strict,
        masks=masks,
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
