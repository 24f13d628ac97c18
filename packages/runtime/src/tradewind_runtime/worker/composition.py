"""The worker process composed: Airflow made ready, accelerators installed, and the prefork process that serves the agent."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

import structlog

from tradewind_protocol.hosts import Configure, Problem
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
from tradewind_runtime.control import Control
from tradewind_runtime.worker import process_manager, slot_pool, supervision, supervisor
from tradewind_runtime.worker.prefork import PreforkProcess

log = structlog.get_logger(__name__)


def run(control: Control, configure: Configure, helpers: Collection[int] = ()) -> int:
    """Be the worker process until told to stop or until the agent is gone. Returns the process's exit code. `helpers`:
    processes of this one that are no attempt's."""
    fork = _prepare(control, configure)
    bundles, problem = site_settings.bundles()
    if problem:
        control.send(Problem(message=problem, remedy="Install what it needs, or correct `bundles`"))
        return 1
    for name in stale_clones.drop():
        log.info("The clone of another repository is removed", action="stale_clone", bundle=name)
    accelerators, switch = table.of_worker(configure), table.switch(configure)
    switch.install(*accelerators)
    with tempfile.TemporaryDirectory(prefix="tradewind-notes-") as folder:
        notes = import_notes.ImportNotes(Path(folder))
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


def _prepare(control: Control, configure: Configure) -> task_fork.TaskFork:
    """Make Airflow and this process ready for forks. Returns how supervisors fork tasks from now on."""
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
    return fork


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
