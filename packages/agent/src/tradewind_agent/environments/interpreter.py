"""A question to a task environment: its own interpreter answers, with the environment variables that its processes get."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from tradewind_agent.environments import launcher, variables
from tradewind_agent.kits import aiotime
from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_agent.state import task_users

log = structlog.get_logger(__name__)

_LONGEST_END: Final = 2.0
"""Seconds for which the pipes of a killed process are read."""


@dataclass(frozen=True)
class InterpreterOutput:
    """What the interpreter printed, and its exit status."""

    status: int
    out: str
    err: str

    def marked(self, mark: str) -> list[str]:
        """The lines of the answer. Without the mark they are what libraries print."""
        return marked(self.out, mark)

    @property
    def last_words(self) -> str:
        """The last line of its errors, which tells why it ended."""
        return (self.err.strip().splitlines() or [f"exit status {self.status}"])[-1][:500]


def marked(text: str, mark: str) -> list[str]:
    """What follows the mark, in the lines that begin with it."""
    return [line.removeprefix(mark) for line in text.splitlines() if line.startswith(mark)]


async def ask(
    settings: Settings,
    environment: EnvironmentSettings,
    module: str,
    question: str,
    *,
    on_output: Callable[[bytes], None] | None = None,
) -> InterpreterOutput:
    """Run `module` with `question` on its standard input, as `start` does. `on_output` gets the output as it comes, which is all
    there is of it when this is cancelled. Cancelled, it leaves no process. Raises what `start` raises."""
    process = await start(settings, environment, module)
    try:
        out, err, _ = await asyncio.gather(
            _read(process.stdout, on_output), _read(process.stderr), _write(process.stdin, question.encode())
        )
        await process.wait()
    except asyncio.CancelledError:
        await kill(process)
        raise
    return InterpreterOutput(
        process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
    )


async def _read(
    stream: asyncio.StreamReader | None, on_output: Callable[[bytes], None] | None = None
) -> bytes:
    assert stream is not None
    parts = []
    while part := await stream.read(65_536):
        parts.append(part)
        if on_output is not None:
            on_output(part)
    return b"".join(parts)


async def _write(stream: asyncio.StreamWriter | None, text: bytes) -> None:
    assert stream is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it ended and did not ask
        stream.write(text)
        await stream.drain()
    stream.close()


async def start(
    settings: Settings,
    environment: EnvironmentSettings,
    module: str,
    *,
    errors: int = asyncio.subprocess.PIPE,
    limit: int = 65_536,
) -> asyncio.subprocess.Process:
    """Start `module` with pipes, in a process group of its own, as the environment's user where this process may start
    others. `limit`: bytes of its longest line. Raises OSError, SettingsWrong."""
    user = None if task_users.missing_capabilities() else task_users.user_of(environment)
    return await asyncio.create_subprocess_exec(
        str(environment.interpreter),
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
        limit=limit,
        env=variables.of_environment(settings, environment, os.environ, user),
        start_new_session=True,
        **launcher.as_user(user),
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    """End a process that `start` began, and what it started. What it has printed is thrown away.

    asyncio tells the end of a process when its pipes are read to their end. A program that left the group (a
    connection that ssh keeps for later) may hold them open for hours: it is left to itself.
    """
    with suppress(ProcessLookupError):  # gone already
        os.killpg(process.pid, signal.SIGKILL)
    pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]
    try:
        await aiotime.within(asyncio.gather(process.wait(), *map(_discard, pipes)), _LONGEST_END)
    except asyncio.TimeoutError:
        log.warning(
            "A child of an ended process still runs and holds its output open",
            action="environment_output_held",
            pid=process.pid,
        )
        process._transport.close()  # type: ignore[attr-defined]  # there is no public way to close what this side holds


async def _discard(pipe: asyncio.StreamReader) -> None:
    while await pipe.read(65_536):
        pass
