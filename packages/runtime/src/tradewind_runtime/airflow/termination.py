"""A task that the plane wants no more: marked, cleared or deleted while it ran. Airflow's supervisor learns of it by a
heartbeat that is refused; it sends SIGTERM, and five seconds later SIGKILL."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx
    from airflow.sdk.api.client import Client

_NO_MORE = (404, 409, 410)  # what makes Airflow's supervisor end the task


class RefusedHeartbeat:
    """Remembers that a heartbeat was refused for good, and why."""

    def __init__(self) -> None:
        self.reason: str | None = None

    @contextmanager
    def listening(self, client: Client) -> Iterator[None]:
        """Look at every answer `client` gets meanwhile."""
        client.event_hooks["response"].insert(0, self._look)
        try:
            yield
        finally:
            client.event_hooks["response"].remove(self._look)

    def _look(self, response: httpx.Response) -> None:
        path = response.request.url.path
        if self.reason is None and response.status_code in _NO_MORE and path.endswith("/heartbeat"):
            self.reason = _words(response)


def _words(response: httpx.Response) -> str:
    try:
        response.read()
        said = response.json()
    except Exception:  # whatever it says, it says no
        said = {}
    detail = said.get("detail") if isinstance(said, dict) else None
    if not isinstance(detail, dict):
        detail = {}
    if state := detail.get("current_state"):
        cleared = "it was cleared" if state == "restarting" else f"its task instance is marked {state}"
        return f"stopped by request: {cleared}"
    if detail.get("reason") == "running_elsewhere":
        return "stopped: its task instance runs elsewhere"
    if response.status_code == 409 and isinstance(said, dict) and said.get("message"):
        return f"stopped: {said['message']}"  # a refusal of our own: the agent was given up
    return "stopped by request: its task instance was cleared or deleted"


def end_at_once_without_on_kill() -> None:
    """Let a task whose operator has no `on_kill` end when it is asked to. Call it once,
    before the task's process is forked.

    All that Airflow does in the task's process on SIGTERM is to call `on_kill`. Where an operator brings none, nothing
    comes of the five seconds until SIGKILL but five more seconds of unwanted user code: this process then ends by that
    SIGTERM. One that brings its own has all the time Airflow gives it, and so has user code that handles SIGTERM
    itself. If a later Airflow names things differently, all that is lost is this haste.
    """
    from airflow.sdk.bases.operator import BaseOperator

    inherited = BaseOperator.on_kill

    @functools.wraps(inherited)
    def on_kill(self: Any) -> None:
        inherited(self)
        brings_none = type(self).on_kill is on_kill
        if brings_none and sys._getframe(1).f_code.co_name == "_on_term":  # not for a timeout
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

    BaseOperator.on_kill = on_kill
