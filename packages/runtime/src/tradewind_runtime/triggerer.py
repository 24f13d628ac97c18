"""The triggerer process: runs the triggers the plane assigns to this agent, and delivers what they fire.

Two processes: this one, which talks to the plane and writes logs, and the one it forks, in which the triggers run and
which has no secret. Two threads of this one hold the requests, so that the loop never waits for a network.
"""

from __future__ import annotations

import logging
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from tradewind_protocol.hosts import Configure, HostStatus, Problem, StopHost
from tradewind_protocol.sessions import Policy
from tradewind_runtime import gateway_client
from tradewind_runtime.control import Control, ControlClosed
from tradewind_runtime.triggers.assigned_triggers import AssignedTriggers
from tradewind_runtime.triggers.outbox import Outbox
from tradewind_runtime.triggers.plane_sync import PlaneSync
from tradewind_runtime.triggers.span_relay import SpanRelay

if TYPE_CHECKING:
    from tradewind_runtime.airflow.triggers import Supervisor

log = logging.getLogger(__name__)

LAST_WORDS = 5.0
"""Seconds for reports to get out when the process stops. What stays behind fires again in the next triggerer."""

STOP_GRACE = 10.0
"""Seconds triggers have for their `cleanup` when the process stops."""

STATUS_SECONDS = 1.0


def run(control: Control, configure: Configure) -> int:
    """Be the triggerer process until told to stop, or until the agent is gone. Returns the exit status.

    `configure.options`: `queues` (of triggers, as Airflow's `--queues`; default: those the agent's tasks have, and
    triggers of no queue), `traces` (whether the agent takes spans). Stopping is the same with and without `now`: triggers that
    wait are run by another triggerer.
    """
    from tradewind_runtime.airflow import site_settings

    _prepare(configure)
    assigned = AssignedTriggers(clock=time.monotonic)
    outbox = Outbox()
    supervisor = _start_supervisor(configure, assigned, outbox, on_tick=Status(control, outbox).tell)
    with gateway_client.Gateway(configure.gateway, configure.secret) as gateway:
        plane_sync = PlaneSync(
            gateway=gateway,
            source=uuid4(),
            assigned=assigned,
            outbox=outbox,
            queues=tuple(configure.options.get("queues") or ()),
            capacity=configure.slots or None,
            on_news=supervisor.wake,
            on_persisted=supervisor.persisted_event_seqs.extend,
            working=lambda: supervisor.working,
        )
        agent = AgentConnection(control, supervisor)
        try:
            agent.watch()
            plane_sync.start()
            control.hello(bundles=site_settings.bundles()[0])
            supervisor.run()
        except ControlClosed:
            agent.gone = True
        finally:
            _end(supervisor, outbox, agent_gone=agent.gone)
            plane_sync.stop()
    if agent.gone or agent.asked:
        return 0
    _tell_problem(control, supervisor)
    return 1


def _prepare(configure: Configure) -> None:
    """Make this process ready to fork the one that runs triggers."""
    from tradewind_runtime.airflow import log_storage, process, templates

    _raise_file_limit()
    log_storage.keep_failed_uploads(configure)
    templates.restrict()
    process.use_own_fernet_key()  # the process that runs triggers expects their arguments encrypted


def _start_supervisor(
    configure: Configure,
    assigned: AssignedTriggers,
    outbox: Outbox,
    *,
    on_tick: Callable[[Supervisor], None],
) -> Supervisor:
    """Fork the process that runs triggers, and start the thread that takes its spans where the agent wants them."""
    from tradewind_runtime.airflow import execution_client, triggers
    from tradewind_runtime.airflow.trigger_reports import TriggerReports

    reports = TriggerReports(
        assigned,
        outbox,
        strict=(configure.xcom or configure.policy) is Policy.STRICT,
        masks=not configure.options.get("send_source", configure.policy is Policy.OPEN),
    )
    relay = _relay(configure)
    supervisor = triggers.start(
        agent_name=configure.agent_name,
        capacity=configure.slots,
        assigned=assigned,
        reports=reports,
        open_client=lambda: execution_client.of_gateway(configure.gateway, configure.secret),
        on_tick=on_tick,
        in_child=None if relay is None else partial(_trace_through, relay, configure.agent_name),
    )
    if relay is not None:
        relay.start()
    return supervisor


def _tell_problem(control: Control, supervisor: Supervisor) -> None:
    """Tell the agent why the triggers no longer run, unless it has gone meanwhile."""
    ended = f"the process that runs triggers ended by itself ({supervisor._exit_code})"
    reason = supervisor.problem or ended
    with suppress(ControlClosed):
        control.send(
            Problem(message=reason, remedy="The agent starts it again; the triggerer's log says more")
        )


def _relay(configure: Configure) -> SpanRelay | None:
    """What carries the spans of triggers to the agent; None where it takes none."""
    if not configure.options.get("traces"):
        return None
    return SpanRelay(partial(gateway_client.leave_spans, configure.gateway, configure.secret))


def _trace_through(relay: SpanRelay, agent: str) -> None:
    from tradewind_runtime.airflow import traces

    traces.start_through(relay.be_the_sender(), agent=agent)


class AgentConnection:
    """Reads the control socket in the supervisor's loop, and ends the loop when the agent asks for it or has exited."""

    def __init__(self, control: Control, supervisor: Supervisor) -> None:
        self.gone = False  # the agent's end is closed: nothing can be delivered
        self.asked = False
        self._control = control
        self._supervisor = supervisor

    def watch(self) -> None:
        self._supervisor.listen_to(self._control, self._read)

    def _read(self) -> None:
        try:
            for message in self._control.waiting():
                if isinstance(message, StopHost):
                    self.asked = True
        except ControlClosed:
            self.gone = True
        if self.asked or self.gone:
            self._supervisor.stop = True
            with suppress(KeyError):  # it was unregistered at the first of both
                self._supervisor.selector.unregister(self._control)


class Status:
    """One line for the agent's status page, when it changes."""

    def __init__(self, control: Control, outbox: Outbox) -> None:
        self._control = control
        self._outbox = outbox
        self._last: tuple[int, int, bool] | None = None
        self._reported_at = 0.0

    def tell(self, supervisor: Supervisor) -> None:
        """Raises ControlClosed when the agent's end is closed."""
        now = time.monotonic()
        running, waiting = len(supervisor.running_triggers), len(self._outbox)
        facts = (running, waiting, supervisor.working)
        if facts == self._last or now - self._reported_at < STATUS_SECONDS:
            return
        self._last, self._reported_at = facts, now
        line = f"{running} triggers run" + (f", {waiting} reports wait for the plane" if waiting else "")
        if not supervisor.working:
            line += "; their event loop is silent"
        numbers = {"triggers_running": float(running), "trigger_reports_waiting": float(waiting)}
        self._control.send(HostStatus(line=line, numbers=numbers))


def _end(supervisor: Supervisor, outbox: Outbox, *, agent_gone: bool) -> None:
    """Stop the triggers without `on_kill`, then let the last reports out while the agent's end is open."""
    if agent_gone:
        supervisor.end(signal.SIGKILL, seconds=STOP_GRACE)
        return
    if not supervisor.problem:  # a silent event loop would not hear it
        supervisor.end(signal.SIGINT, seconds=STOP_GRACE)
    supervisor.end(signal.SIGKILL, seconds=STOP_GRACE)
    supervisor.handle_events()
    supervisor.handle_failed_triggers()
    if not outbox.wait_until_empty(LAST_WORDS):
        log.warning(
            "%d reports of triggers were not delivered; their triggers fire again elsewhere",
            len(outbox),
            extra={"action": "trigger_reports_left"},
        )


def _raise_file_limit() -> None:
    """Ten thousand triggers have ten thousand connections: take as many files as the machine gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # a container may not let it: then fewer triggers wait at once
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
