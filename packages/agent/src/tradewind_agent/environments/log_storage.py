"""The log storage of a task environment, as a process of the environment opens it: kept for a while, as its start takes seconds."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from tradewind_agent.environments import configuration, interpreter
from tradewind_agent.errors import EnvironmentBroken
from tradewind_agent.kits import aiotasks, aiotime
from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_agent.state import task_users

MARK: Final = "tradewind-logs "
PATIENCE: Final = 120.0
"""Seconds for one answer: cloud libraries try for a minute to reach a storage that does not answer."""

SLOWEST: Final = 1_000_000
"""Bytes a second at which a storage takes a log, at the least: a large one has so much longer."""

_IDLE: Final = 60.0
_LONGEST: Final = 1024 * 1024


class LogStorageProcess:
    """Reads and fills the storage, one request after the other. Its process ends after a minute without any."""

    def __init__(self, settings: Settings, environment: EnvironmentSettings, *, waiting: Path) -> None:
        self._settings, self._environment, self._waiting = settings, environment, waiting
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._request: asyncio.Task[dict[str, Any]] | None = None  # the one that has its turn
        self._idle: asyncio.Task[None] | None = None

    async def read(self, path: str, into: Path) -> list[str]:
        """Write what the storage has of a log into files `0`, `1` … of a folder; where each came from. Raises
        EnvironmentBroken."""
        task_users.let_write(self._environment, into)
        answer = await self._ask({"read": path, "into": str(into)})
        if problem := answer.get("problem"):
            raise EnvironmentBroken(str(problem))
        return [str(name) for name in answer["names"]]

    async def upload(self, path: str) -> str:
        """Upload a log that waits; why the storage did not take it, empty when it did. Raises EnvironmentBroken."""
        size = await asyncio.to_thread(_size, self._waiting / path)
        return str((await self._ask({"upload": path}, PATIENCE + size / SLOWEST))["problem"])

    async def close(self) -> None:
        """End the process, and what is asked of it. Idempotent; the next request starts another."""
        if self._request is not None:
            await aiotasks.cancel(self._request)
        async with self._turn:
            await self._end()

    async def _ask(self, request: dict[str, Any], patience: float = PATIENCE) -> dict[str, Any]:
        """The answer. A request that is being answered goes on when its caller leaves: ending the process in the middle
        costs the next caller the seconds of its start."""
        await self._turn.acquire()
        self._request = asyncio.create_task(self._answered(request, patience), name="log storage request")
        self._request.add_done_callback(self._next)
        return await asyncio.shield(self._request)

    def _next(self, request: asyncio.Task[dict[str, Any]]) -> None:
        self._request = None
        self._turn.release()
        if not request.cancelled():
            request.exception()  # its caller may have left, and nobody else looks

    async def _answered(self, request: dict[str, Any], patience: float) -> dict[str, Any]:
        if self._idle is not None:
            await aiotasks.cancel(self._idle)
        try:
            return await aiotime.within(self._answer(request), patience)
        except (OSError, asyncio.TimeoutError) as error:
            await self._end()
            raise EnvironmentBroken(
                f"environment {self._environment.name} does not answer for its log storage: "
                f"{str(error) or f'nothing in {patience:g} s'}",
                remedy="Run tradewind-agent doctor: it writes and reads a log there",
            ) from error
        except BaseException:  # the answer to this request must not be taken for that to the next one
            await self._end()
            raise
        finally:
            self._idle = asyncio.create_task(self._close_later(), name="idle log storage")

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await interpreter.start(
                self._settings,
                self._environment,
                "tradewind_runtime.log_storage",
                errors=asyncio.subprocess.DEVNULL,  # nobody reads a pipe between two requests
                limit=_LONGEST,
            )
            assert process.stdin is not None
            configure = configuration.of_question(self._settings, logs=self._waiting)
            process.stdin.write(configure.model_dump_json().encode() + b"\n")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        await process.stdin.drain()
        while line := await process.stdout.readline():
            if line.startswith(MARK.encode()):
                answer: dict[str, Any] = json.loads(line[len(MARK) :])
                return answer
        raise OSError(f"its process ended with status {await process.wait()}")

    async def _close_later(self) -> None:
        await asyncio.sleep(_IDLE)
        self._idle = None
        await self.close()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            await interpreter.kill(process)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # gone, or another user's: the storage's process says so
        return 0
