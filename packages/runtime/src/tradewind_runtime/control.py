"""A process's end of the control socket: one JSON object a line, both ways (`tradewind_protocol.hosts`)."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from importlib.metadata import version
from typing import Any

from tradewind_protocol import hosts
from tradewind_protocol.hosts import LogStorage
from tradewind_protocol.messages import Message
from tradewind_protocol.sessions import Storage

LARGEST_LINE = 64 * 1024 * 1024
"""Bytes of one line. The agent is trusted, but a line that never ends must not fill the machine's memory."""


class ControlClosed(Exception):
    """The agent's end of the socket is gone: stop what runs and exit."""


class Control:
    """The socket to the agent. Selectable by `fileno()`; `send` may be called from any thread, reading from one.

    Before the first wait in a selector, and after each, read until `waiting` (or `receive(0)`) has nothing more: lines
    that arrived together are in the buffer, where no selector sees them.

    Lines are kept in one buffer that is overwritten once they are consumed: a process forked later must not find
    another attempt's secret in the memory it inherits. One forked meanwhile has to `forget`.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(True)
        connection.set_inheritable(False)
        self._connection = connection
        self._sending = threading.Lock()
        self._buffer = bytearray()
        self._taken = bytearray()  # the line last given out, which its reader may not have overwritten yet
        self._ended = False

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] = os.environ) -> Control:
        """Take the socket the agent left for us, and its number out of the environment of everyone we start.

        Raises ControlClosed, saying what to do, when there is none.
        """
        number = environ.pop(hosts.CONTROL_FD, "")
        if not number.isdecimal():
            raise ControlClosed(
                f"{hosts.CONTROL_FD} is not set: this process is started by tradewind-agent, never by hand"
            )
        try:
            return cls(socket.socket(fileno=int(number)))
        except OSError as problem:
            raise ControlClosed(f"{hosts.CONTROL_FD}={number} is not an open socket ({problem})") from None

    def fileno(self) -> int:
        return self._connection.fileno()

    def close(self) -> None:
        """Let go of the socket. Idempotent."""
        self._connection.close()

    def forget(self) -> None:
        """Overwrite whatever was received, the line last given out included: what a forked process does first."""
        wipe(self._buffer)
        wipe(self._taken)

    def send(self, message: Message) -> None:
        """Send one message whole. Raises ControlClosed when the other end is closed."""
        with self._sending:
            try:
                self._connection.sendall(hosts.line(message))
            except OSError as problem:
                raise ControlClosed(f"the agent has ended ({problem})") from None

    def hello(
        self,
        bundles: Sequence[str] = (),
        xcom: Storage | None = None,
        accelerators: Mapping[str, str] | None = None,
        logs: LogStorage | None = None,
        canary: bool = False,
    ) -> None:
        """Tell the agent that this process is ready, and what it runs on."""
        self.send(
            hosts.Hello(
                python=".".join(map(str, sys.version_info[:3])),
                airflow=version("apache-airflow-core"),
                runtime=version("tradewind-runtime"),
                pid=os.getpid(),
                bundles=tuple(bundles),
                xcom=xcom or Storage(),
                accelerators=dict(accelerators or {}),
                logs=logs or LogStorage(),
                canary=canary,
            )
        )

    def receive(self, timeout: float | None = None) -> Any | None:
        """The next message, or None after `timeout` seconds without one (None: wait for ever).

        Raises ControlClosed at the end of the stream, ValueError for a line that is no message.
        """
        line = self.receive_line(timeout)
        if line is None:
            return None
        try:
            return hosts.TO_HOST.validate_json(bytes(line))
        finally:
            wipe(line)

    def waiting(self) -> Iterator[Any]:
        """Every message that is there now, without waiting. Raises ControlClosed when the stream has ended."""
        while (message := self.receive(0)) is not None:
            yield message

    def receive_line(self, timeout: float | None = None) -> bytearray | None:
        """As `receive`, unread: the bytes of the line, which the caller overwrites (`wipe`) when done with them."""
        deadline = None if timeout is None else time.monotonic() + timeout
        self._taken = bytearray()
        while (line := self._take()) is None:
            if self._ended:
                raise ControlClosed("the agent closed the control socket")
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not _readable(self._connection, wait):
                return None
            self._fill()
        self._taken = line
        return line

    def _take(self) -> bytearray | None:
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        line = self._buffer[:end]
        rest = self._buffer[end + 1 :]
        wipe(self._buffer)
        self._buffer = rest
        return line

    def _fill(self) -> None:
        chunk = bytearray(65536)
        try:
            count = self._connection.recv_into(chunk)
        except OSError:
            count = 0  # a reset is an end like any other
        if count == 0 or len(self._buffer) > LARGEST_LINE:
            self._ended = True
            return
        joined = self._buffer + memoryview(chunk)[:count]
        wipe(chunk)
        wipe(self._buffer)
        self._buffer = joined


def wipe(line: bytearray) -> None:
    """Overwrite the bytes in place."""
    line[:] = bytes(len(line))


def _readable(connection: socket.socket, wait: float | None) -> bool:
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(None if wait is None else wait * 1000))
