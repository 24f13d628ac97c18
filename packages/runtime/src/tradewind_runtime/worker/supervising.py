"""From the line of a RunAttempt to Airflow's supervisor: the whole life of the supervisor process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from tradewind_protocol.hosts import Configure, RunAttempt
from tradewind_runtime import gateway_client
from tradewind_runtime.control import wipe
from tradewind_runtime.seams import process, stopping, traces
from tradewind_runtime.seams import worker as airflow_worker
from tradewind_runtime.worker import kernel
from tradewind_runtime.worker.attempt import Ran

if TYPE_CHECKING:
    from airflow.sdk.api.client import Client


def supervisor_of(
    configure: Configure, client: Client, *, note_at: Callable[[UUID], Path] | None = None
) -> Callable[[bytearray], Ran]:
    """The function each supervisor process runs with the line of each of its attempts. The task's process leaves a note
    of what its Dag file imported at `note_at` of the attempt's id.

    `client` is one that has not spoken yet (`unused_client`): made once and inherited, it costs an attempt nothing.
    After an attempt it has no connection, no secret and no look at answers that it had not before."""
    agent_name, traced = configure.agent_name, bool(configure.options.get("traces"))

    def supervise(line: bytearray) -> Ran:
        run = RunAttempt.model_validate_json(bytes(line))
        wipe(line)
        title(f"tradewind attempt {airflow_worker.label(run.kind, run.workload)}")
        airflow_worker.set_hostname(f"{agent_name}.{run.attempt_id.hex[:12]}-{run.epoch}")
        airflow_worker.notice_ends_at_once()
        if note_at is not None:
            airflow_worker.note_imports(note_at(run.attempt_id))
        unwanted = stopping.Unwanted()
        with process.speaking_as(client, run.secret), unwanted.listening(client), ExitStack() as stack:
            if traced:
                # In the task's own process, where Airflow and the task make their spans.
                begin = partial(traces.start, configure.gateway, run.secret, agent=agent_name)
                stack.callback(kernel.after_fork_of_mine(begin))
            exit_code = airflow_worker.run(run.kind, run.workload, client)
            title("tradewind supervisor without work")
            return Ran(exit_code, unwanted.reason)

    return supervise


def unused_client(configure: Configure) -> Client:
    """A client of the gateway with no connection and no secret. Each process that inherits it has its own."""
    return gateway_client.execution_client(configure.gateway, "")


def title(text: str) -> None:
    """Name this process in the process list."""
    from setproctitle import setproctitle

    setproctitle(text)
