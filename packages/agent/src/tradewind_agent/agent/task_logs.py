"""The logs of tasks: the storages of the environments, the loop that fills them, and the streams to readers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from tradewind_agent.environments.log_storage import LogStorageProcess
from tradewind_agent.environments.task_environments import TaskEnvironments
from tradewind_agent.gateway.ledger import Cause, Ledger
from tradewind_agent.loops.log_uploading import LogUploading
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.settings import Settings
from tradewind_agent.state.owner_rules import RulesInForce
from tradewind_agent.work.log_streams import LogStreams
from tradewind_protocol.polling import Verb

_READER = "log reader"
"""Who asks for a log, in the ledger."""


class TaskLogs:
    """Composes them. Leaving the context ends the streams first, then the storages that they read."""

    def __init__(
        self,
        *,
        settings: Settings,
        environments: TaskEnvironments,
        plane: PlaneClient,
        ledger: Ledger,
        rules: RulesInForce,
        now: Callable[[], float],
    ) -> None:
        self._environments = environments
        self._ledger = ledger
        self._storages = {
            each.name: LogStorageProcess(settings, each, waiting=environments.waiting_logs)
            for each in settings.task_environments
        }
        self.uploading = LogUploading(environments, logs=self._storages, now=now)
        self.streams = LogStreams(
            plane=plane,
            directory=environments.log_directory,
            waiting=environments.waiting_logs,
            stored=self._stored,
            shown=lambda: settings.live_logs and rules().live_logs,
            noted=lambda what: ledger.because(Cause(_READER, "/logs/{stream_id}", what=what)),
            on_refused=self._refused,
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> TaskLogs:
        for storage in self._storages.values():
            self._stack.push_async_callback(storage.close)
        self._stack.push_async_callback(self.streams.close)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def _stored(self, path: str, into: Path) -> list[str]:
        """What the log storages of the environments have of a log: those with the same address are asked once."""
        storages = {
            storage.url: name for name, storage in reversed(self._environments.log_storages().items())
        }
        for name in storages.values():
            if found := await self._storages[name].read(path, into):
                return found
        return []

    def _refused(self, path: str) -> None:
        why = f"the site's rule 'live_logs' does not let {path} be read"
        self._ledger.command(_READER, Verb.STREAM_LOG.value, why)
