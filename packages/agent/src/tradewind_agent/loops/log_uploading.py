"""The loop that uploads the logs of tasks which the log storage did not take when the task ended."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

import structlog

from tradewind_agent.environments.log_storage import LogStorageProcess
from tradewind_agent.errors import EnvironmentBroken
from tradewind_protocol.hosts import LogStorage
from tradewind_protocol.polling import Finding

log = structlog.get_logger(__name__)

FIRST: Final = 15.0
MOST: Final = 300.0
"""Seconds between two tries while the storage does not take logs."""

SLOW: Final = 60.0
"""Seconds after which an upload that goes on is told of: the clouds' libraries try for minutes before they say why."""

_LEFT_OVER: Final = 86_400.0  # seconds: older logs of an agent's earlier life are not looked for


class Environments(Protocol):
    """What is asked of the task environments."""

    @property
    def log_directory(self) -> Path: ...

    @property
    def waiting_logs(self) -> Path: ...

    def log_storages(self) -> Mapping[str, LogStorage]: ...


class LogUploading:
    """Keeps logs in a folder of their own until the storage has them. `logs` is the storage of an environment, by name."""

    def __init__(
        self,
        environments: Environments,
        *,
        logs: Mapping[str, LogStorageProcess],
        now: Callable[[], float],
        first: float = FIRST,
        slow: float = SLOW,
    ) -> None:
        self._environments = environments
        self._logs = logs
        self._now = now
        self._first = first
        self._slow = slow
        self._started = now()
        self._problem = ""
        self._url = ""

    def attempt_ended(self, environment: str, path: str) -> None:
        """The processes of a task are gone. A log that its supervisor has not emptied, because it was killed, waits here."""
        if self._environments.log_storages().get(environment, LogStorage()).retried:
            self._try_to_keep(Path(path))

    def findings(self) -> list[Finding]:
        """What is not uploaded, and why."""
        if not self._problem:
            return []
        return [
            Finding(
                check="task-logs",
                message=f"logs of tasks are not in {self._url} yet: {self._problem}"[:2000],
                remedy="They are kept on the agent and uploaded once the storage takes them; tradewind-agent doctor tells "
                "which right is missing",
            )
        ]

    async def run(self) -> None:
        """Never returns."""
        looked, wait = False, self._first
        while True:
            await asyncio.sleep(wait)
            retried = {n: one for n, one in self._environments.log_storages().items() if one.retried}
            if not retried:
                continue
            name, storage = next(iter(retried.items()))
            self._url = storage.url
            try:
                if not looked:
                    await asyncio.to_thread(self._left_over)
                    looked = True
                problem = await self._upload(self._logs[name])
            except (EnvironmentBroken, OSError) as error:
                problem = str(error)
            except Exception as error:  # a defect in here must not end the agent
                log.exception("Task logs not uploaded", action="logs_not_uploaded")
                problem = f"{type(error).__name__}: {error}"
            if self._problem and not problem:
                log.info("Task logs uploaded", action="logs_uploaded")
            self._tell(problem)
            wait = min(wait * 2, MOST) if problem else self._first

    async def _upload(self, storage: LogStorageProcess) -> str:
        """Every log that waits, the oldest first, up to the first that the storage does not take; why it does not."""
        for path in await asyncio.to_thread(lambda: list(self._files())):
            if problem := await self._upload_one(storage, path):
                return problem
            await asyncio.to_thread(self._forget, path)
        return ""

    async def _upload_one(self, storage: LogStorageProcess, path: Path) -> str:
        upload = asyncio.ensure_future(storage.upload(str(path)))
        try:
            ended, _ = await asyncio.wait({upload}, timeout=self._slow)
            if not ended and not self._problem:
                self._tell(f"an upload has taken {self._slow:g} s so far, and goes on")
            return await upload
        finally:
            upload.cancel()

    def _tell(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("Task logs not uploaded", action="logs_not_uploaded", error=problem)
        self._problem = problem

    def _files(self) -> Iterator[Path]:
        root = self._environments.waiting_logs
        for folder, _, names in sorted(os.walk(root)):
            for name in names:
                yield Path(folder, name).relative_to(root)

    def _forget(self, part: Path) -> None:
        shutil.rmtree(self._environments.waiting_logs / part.parts[0], ignore_errors=True)

    def _left_over(self) -> None:
        """Logs of an earlier life of this agent, which ended before they were uploaded."""
        root = self._environments.log_directory
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder, name).relative_to(root)
                if path.parts[0].startswith("dag_id=") and self._is_left_over(root / path):
                    self._try_to_keep(path)

    def _is_left_over(self, file: Path) -> bool:
        try:
            about = file.stat()
        except OSError:  # gone meanwhile
            return False
        return about.st_size > 0 and self._started - _LEFT_OVER < about.st_mtime < self._started

    def _try_to_keep(self, path: Path) -> None:
        try:
            self._keep(path)
        except FileNotFoundError:
            return  # its supervisor has uploaded and removed it meanwhile
        except OSError as error:
            log.warning(
                "A task log is not kept for its upload",
                action="log_not_kept",
                path=str(path),
                error=str(error),
            )

    def _keep(self, path: Path) -> None:
        """Move a log to a folder of its own among those that wait. Nothing to do for an empty one."""
        source = self._environments.log_directory / path
        if not source.is_file() or source.is_symlink() or source.stat().st_size == 0:
            return
        root = self._environments.waiting_logs
        root.mkdir(parents=True, exist_ok=True)
        target = root / f"{time.time_ns()}-{os.getpid()}" / path
        for folder in reversed(target.relative_to(root).parents[:-1]):
            (root / folder).mkdir(exist_ok=True)
            (root / folder).chmod(stat.S_IMODE(root.stat().st_mode))  # for a user of the tasks' own
        os.rename(source, target)
