"""Starting a process of a task environment and its control socket: the seam between agent and operating system."""

from __future__ import annotations

import asyncio
import contextlib
import logging.handlers
import os
import signal
import socket
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog

from tradewind_agent.errors import EnvironmentBroken
from tradewind_agent.kits import aiotasks, aiotime
from tradewind_agent.state import task_users
from tradewind_agent.state.task_users import TaskUser
from tradewind_protocol import hosts
from tradewind_protocol.messages import Message

log = structlog.get_logger(__name__)

_LONGEST_LINE = 64 * 1024 * 1024  # bytes of one control message: a workload or a bundle list, generously
_LOG_SIZE = 5 * 1024 * 1024


@dataclass(frozen=True)
class ProcessCommand:
    """How a process is started. Holds no secret of ours: secrets come over its control socket."""

    title: str  # "worker of environment default", for logs
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    log_file: Path
    user: TaskUser | None = None  # None: the agent's


class ChildProcess(Protocol):
    """A running process, and the only way to signal it."""

    @property
    def pid(self) -> int: ...

    def send(self, message: Message) -> None:
        """Queue a message. Does not block. A process that has ended reads nothing; `wait` tells that."""

    async def receive(self) -> Any | None:
        """The next message of the process, or None when it sends no more. Lines that are not messages are skipped."""

    def signal(self, number: int) -> None:
        """Signal its whole process group. Does nothing when the group is gone."""

    async def wait(self) -> int:
        """Its exit code once it has ended, negative for a signal. May be awaited again."""

    def tail(self) -> str:
        """The last lines it printed."""

    async def close(self) -> None:
        """Kill what is left of its group and release what the agent holds of it. Idempotent."""


class Launcher(Protocol):
    """Starts processes of task environments."""

    async def launch(self, command: ProcessCommand) -> ChildProcess:
        """Return once the process has a pid. Raises EnvironmentBroken when it cannot be started; never raises for one
        that fails later."""


class SubprocessLauncher:
    """Child processes, each leading its own process group, each with one end of a socket pair."""

    async def launch(self, command: ProcessCommand) -> ChildProcess:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        # A pipe of our own: asyncio takes a process for running as long as a pipe that it made is held, and what
        # a process has started may hold it for much longer than the process lives.
        printed, printing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=printing,
                stderr=printing,
                env={**command.env, hosts.CONTROL_FD: str(theirs.fileno())},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                **as_user(command.user),
            )
        except OSError as error:
            ours.close()
            os.close(printed)
            raise EnvironmentBroken(
                f"{command.argv[0]} cannot be started: {error.strerror or error}",
                remedy="Set interpreter to the Python of an environment that has Airflow and tradewind-runtime",
            ) from error
        finally:
            theirs.close()
            os.close(printing)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_LONGEST_LINE)
        output = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(printed, "rb", buffering=0)
        )
        return _Subprocess(
            command=command, process=process, reader=reader, writer=writer, output=output, pipe=transport
        )


def as_user(user: TaskUser | None) -> dict[str, Any]:
    """The options of a subprocess that runs as that user, in a folder that each user can enter."""
    if user is None:
        return {}
    return {
        "user": user.uid,
        "group": user.gid,
        "extra_groups": list(user.groups),
        "umask": task_users.UMASK,
        "cwd": "/",
    }


class _Subprocess:
    def __init__(
        self,
        *,
        command: ProcessCommand,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        output: asyncio.StreamReader,
        pipe: asyncio.ReadTransport,
    ) -> None:
        self._title = command.title
        self._process = process
        self._reader = reader
        self._writer = writer
        self._lines: deque[str] = deque(maxlen=30)
        self._pipe = pipe
        self._output = asyncio.create_task(
            self._keep_output(output, command.log_file), name=f"output of {command.title}"
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Message) -> None:
        if not self._writer.is_closing():
            self._writer.write(hosts.line(message))

    async def receive(self) -> Any | None:
        while True:
            try:
                line = await self._reader.readline()
            except ConnectionError:
                return None  # it ended with something of ours unread, which is an end like any other
            except ValueError as error:
                log.error(
                    "The control socket of a process is broken",
                    action="host_socket_broken",
                    host=self._title,
                    error=str(error),
                )
                return None
            if not line:
                return None
            try:
                return hosts.FROM_HOST.validate_json(line)
            except ValueError:
                log.error(
                    "A process of a task environment sent an invalid message",
                    action="host_message_malformed",
                    host=self._title,
                    size=len(line),
                )

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or only a zombie is left
            os.killpg(self._process.pid, number)

    async def wait(self) -> int:
        return await self._process.wait()

    def tail(self) -> str:
        return "\n".join(self._lines)

    async def close(self) -> None:
        # The leader may be gone and its group not: a group's number stays taken as long as a member lives.
        self.signal(signal.SIGKILL)
        self._writer.close()
        await self._process.wait()
        # What escaped the group may hold the pipe open; what the process itself wrote is read by now or soon.
        with contextlib.suppress(asyncio.TimeoutError, asyncio.CancelledError):
            await aiotime.within(asyncio.shield(self._output), 0.5)
        await aiotasks.cancel(self._output)
        self._pipe.close()

    async def _keep_output(self, stream: asyncio.StreamReader, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=_LOG_SIZE, backupCount=3, encoding="utf-8"
        )
        try:
            rest = b""
            while chunk := await stream.read(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for raw in lines:
                    self._keep_line(handler, raw)
                if len(rest) > 65536:
                    self._keep_line(handler, rest)
                    rest = b""
            if rest:
                self._keep_line(handler, rest)
        finally:
            handler.close()

    def _keep_line(self, handler: logging.Handler, raw: bytes) -> None:
        text = raw.decode("utf-8", errors="replace").rstrip("\r")
        self._lines.append(text)
        handler.emit(logging.LogRecord(self._title, logging.INFO, "", 0, text, None, None))
        log.debug("Output of a process", action="host_output", host=self._title, line=text)
