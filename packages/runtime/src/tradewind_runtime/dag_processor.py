"""The dag processor process: parses a site's Dags and tells the plane what changed, and nothing else.

**One leads, the others are standbys.** Several agents may have one bundle. The plane makes one of them its leader, which parses
and reports. The standbys hold a watch open and parse nothing, until the plane tells them that the leader's session has ended
or was lost; then the first to claim leads, and sends only what differs from what the plane holds.

**Only what changed is sent.** Each file's parse result has a hash. What the plane holds, file by file, is learned with the
claim; a result it holds already is not sent, one of which only the bundle's version differs is named without its Dags.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from tradewind_protocol import dags
from tradewind_protocol.dags import Role
from tradewind_protocol.hosts import Configure, HostStatus, Problem, StopHost
from tradewind_protocol.polling import Finding
from tradewind_protocol.sessions import Policy
from tradewind_runtime import gateway_client, loggers
from tradewind_runtime.control import Control, ControlClosed
from tradewind_runtime.dags import bundles, config
from tradewind_runtime.dags.plane_sync import News, Note, ParseNow, PlaneSync, RolesChanged, RunCallback
from tradewind_runtime.dags.sync_state import SyncState

if TYPE_CHECKING:
    from airflow.callbacks.callback_requests import CallbackRequest
    from airflow.dag_processing.manager import DagFileInfo

    from tradewind_runtime.accelerators.child_exit_notification import ParserExitNotification
    from tradewind_runtime.airflow.dags import Processor

log = logging.getLogger(__name__)

RETRY_EVERY: Final = 60.0
"""Seconds between two attempts to make a bundle that could not be made."""

STATUS_EVERY: Final = 1.0
"""Seconds between two lines for the agent's status page, at least."""


class Stopped(Exception):
    """The agent asked for the end, or is gone."""


def run(control: Control, configure: Configure) -> int:
    """Be the dag processor process until told to stop, or until the agent is gone. Returns the exit status.

    `configure.options`: `bundles` (Airflow's bundle list; else the environment's own configuration), `send_source`
    (default: what the policy says: strict no, open yes), `quote_source` (lines of code in tracebacks; default the same),
    `executors` (names Dags may ask for with `executor=`).
    """
    config.apply(configure.options)
    from tradewind_runtime.accelerators import table
    from tradewind_runtime.airflow import dags as adapter
    from tradewind_runtime.airflow import execution_client, process, site_settings, stale_clones
    from tradewind_runtime.airflow.parse_reports import ParseReports

    process.leave_executors_to_the_plane()
    if problem := site_settings.bundles()[1]:
        control.send(Problem(message=problem, remedy="Install what it needs, or correct `bundles`"))
        return 1
    for name in stale_clones.drop():
        log.info(
            "The clone of bundle %s is of another repository: removed", name, extra={"action": "stale_clone"}
        )
    accelerators, switch = table.of_dag_processor(), table.switch(configure)
    loggers.release()
    switch.install(*accelerators)
    found, broken = adapter.configured_bundles()
    claims = [claim for bundle in found if (claim := _claim(bundle, broken)) is not None]
    sync_state = SyncState(uuid4(), claims, broken=broken, key=configure.key_print)
    open_policy = configure.policy is Policy.OPEN
    send_source = bool(configure.options.get("send_source", open_policy))
    with gateway_client.Gateway(configure.gateway, configure.secret) as gateway:
        loop = ParsingLoop(
            control=control,
            sync_state=sync_state,
            gateway=gateway,
            child_exits=accelerators.child_exit_notification,
        )
        processor = adapter.Processor(
            sync_state=sync_state,
            loop=loop,
            bundles={bundle.name: bundle for bundle in found},
            execution=execution_client.of_gateway(configure.gateway, configure.secret),
            reports=ParseReports(
                sync_state,
                send_source=send_source,
                quote_source=bool(configure.options.get("quote_source", send_source)),
                content_key=bytes.fromhex(configure.content_key),
            ),
            base_log_dir=_log_directory(configure) or adapter.log_directory_option(),
        )
        control.hello(bundles=tuple(claim.name for claim in claims), accelerators=switch.states)
        try:
            processor.run()
        except (Stopped, ControlClosed):
            pass  # both are the end that was asked for
        finally:
            loop.close()
            processor.terminate()
            processor.end()
    return 0


def _claim(bundle: bundles.Bundle, broken: list[str]) -> dags.BundleClaim | None:
    try:
        return bundles.claim(bundle)
    except ValueError as problem:
        log.error("%s", problem, extra={"action": "bundle_unusable"})
        broken.append(bundle.name)
        return None


def _log_directory(configure: Configure) -> str:
    return str(Path(configure.log_directory) / "dag_processor") if configure.log_directory else ""


class ParsingLoop:
    """What the process does in the manager's loop (`airflow.dags.Loop`): acts on what agent and plane send, and wakes the loop for
    both."""

    def __init__(
        self,
        *,
        control: Control,
        sync_state: SyncState,
        gateway: gateway_client.Gateway,
        child_exits: ParserExitNotification,
    ) -> None:
        self._child_exits = child_exits
        self._control = control
        self._sync_state = sync_state
        self._retried_at = time.monotonic()
        self._wake_writer, self._wake_reader = socket.socketpair()
        self._wake_writer.setblocking(False)
        self._wake_reader.setblocking(False)
        self._plane_sync = PlaneSync(sync_state=sync_state, transport=gateway, wake=self._wake)
        self._draining = False
        self._wanted: set[tuple[str, str]] = set()
        self._granted: list[tuple[UUID, CallbackRequest]] = []
        self._running: list[tuple[UUID, CallbackRequest, float]] = []
        self._reported: tuple[str, tuple[Finding, ...]] | None = None
        self._reported_at = 0.0

    # ---- what the manager calls (`airflow.dags.Loop`)

    def enter(self, manager: Processor) -> None:
        """Have the manager's selector read the control socket and the wake-up pipe, then start the plane sync client."""
        os.register_at_fork(after_in_child=self._leave_child)
        manager.selector.register(self._control, selectors.EVENT_READ, (lambda _: self._on_agent(), _nothing))
        manager.selector.register(
            self._wake_reader, selectors.EVENT_READ, (lambda _: self._on_wake_up(), _nothing)
        )
        self._child_exits.listen(self._wake_writer.fileno())
        self._plane_sync.start()

    def turn(self, manager: Processor) -> None:
        """Raises Stopped when it is time to end."""
        self._on_agent()
        for news in self._plane_sync.take_news():
            self._on_plane(manager, news)
        manager.reparse(self._sync_state.take_reparse())
        self._retry_bundles(manager)
        if self._draining:
            self._drain(manager)
        self._tell_status(manager)

    def priority_files(self) -> set[tuple[str, str]]:
        wanted, self._wanted = self._wanted, set()
        return wanted

    def callbacks(self) -> list[CallbackRequest]:
        granted, self._granted = self._granted, []
        started = time.monotonic()
        self._running += [(one, request, started) for one, request in granted]
        return [request for _, request in granted]

    def callback_skipped(self, request: CallbackRequest) -> None:
        for entry in [one for one in self._running if one[1] is request]:
            self._running.remove(entry)
            self._plane_sync.callback_done(entry[0])

    def callbacks_ended(self, file: DagFileInfo, started: float) -> None:
        for entry in [one for one in self._running if one[2] <= started and _of(file, one[1])]:
            self._running.remove(entry)
            self._plane_sync.callback_done(entry[0])

    def close(self) -> None:
        """Stop talking to the plane."""
        self._plane_sync.stop()

    # ---- inside

    def _on_plane(self, manager: Processor, news: News) -> None:
        if isinstance(news, Note):
            log.log(_LEVELS[news.level], "%s", news.text, extra={"action": news.action})
        elif isinstance(news, RolesChanged):
            manager.roles_changed()
        elif isinstance(news, ParseNow):
            self._wanted.add((news.bundle, news.path))
        elif isinstance(news, RunCallback):
            self._grant(news)

    def _drain(self, manager: Processor) -> None:
        """Parse nothing more; when what runs has ended and was sent, raise Stopped."""
        manager.drop_queue()
        if manager.idle() and not self._granted:
            self._plane_sync.flush(10.0)
            raise Stopped

    def _retry_bundles(self, manager: Processor) -> None:
        """Try again, now and then, to make the bundles that could not be made: a connection may be there by now."""
        now = time.monotonic()
        if not self._sync_state.broken() or now - self._retried_at < RETRY_EVERY:
            return
        self._retried_at = now
        for bundle in manager.recovered(self._sync_state.broken()):
            if (claim := _claim(bundle, [])) is not None:
                self._sync_state.recovered(claim)

    def _grant(self, news: RunCallback) -> None:
        from tradewind_runtime.airflow.dags import callback_request

        try:
            self._granted.append((news.offer.id, callback_request(news.offer.request)))
        except ValueError as problem:
            log.error(
                "A callback cannot be read: %s",
                type(problem).__name__,
                extra={"action": "callback_unreadable"},
            )
            self._plane_sync.callback_done(news.offer.id)

    def _on_agent(self) -> bool:
        for message in self._control.waiting():
            if isinstance(message, StopHost):
                if message.now:
                    raise Stopped
                self._draining = True
        return True

    def _on_wake_up(self) -> bool:
        with suppress(BlockingIOError):  # it is empty
            while self._wake_reader.recv(4096):
                pass
        return True

    def _wake(self) -> None:
        with suppress(OSError):  # full: the loop will look anyway
            self._wake_writer.send(b"!")

    def _leave_child(self) -> None:
        with suppress(ValueError):  # not the main thread's child, and so no parser
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # A parser runs the user's code: it must not be able to speak for this process.
        for one in (self._control, self._wake_writer, self._wake_reader):
            with suppress(OSError):  # closed already
                one.close()

    def _tell_status(self, manager: Processor) -> None:
        """Send the agent a line and the findings, when they have changed."""
        now = time.monotonic()
        if now - self._reported_at < STATUS_EVERY:
            return  # before anything is counted: the loop turns several times for each file
        roles = self._sync_state.roles()
        numbers = manager.numbers() | {"waiting": float(self._sync_state.waiting())}
        line = ", ".join(
            [f"{int(numbers['files'])} files", f"{int(numbers['dags'])} Dags"]
            + ([f"{int(numbers['import_errors'])} files with errors"] if numbers["import_errors"] else [])
            + [f"{name}: {_ROLE[role]}" for name, role in sorted(roles.items())]
            + [f"{name}: cannot be made" for name in self._sync_state.broken()]
        )
        status = (line, self._sync_state.findings())
        if status != self._reported:
            self._reported, self._reported_at = status, now
            self._control.send(HostStatus(line=line, numbers=numbers, findings=status[1]))


_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_ROLE: dict[Role | None, str] = {
    Role.SPEAKS: "leader",
    Role.STANDS_BY: "standby",
    Role.REFUSED: "refused",
    None: "not claimed yet",
}


def _nothing(_: Any) -> None:
    return None


def _of(file: DagFileInfo, request: CallbackRequest) -> bool:
    return (file.bundle_name, str(file.rel_path), file.bundle_version) == (
        request.bundle_name,
        request.filepath,
        request.bundle_version,
    )
