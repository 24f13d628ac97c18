"""The socket that brings the log lines of triggers: read when it has some, and before one of them is said to be finished."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any


class _Counted:
    """The socket, for a reader of Airflow's: it never waits, and counts what was read."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.bytes = 0

    def recv_into(self, buffer: Any) -> int:
        read = self._socket.recv_into(buffer)
        self.bytes += read
        return read


class LogSocket:
    """Wraps `handle`, Airflow's reader, which takes what `recv_into` of the object it is given brings and returns whether more
    may come. The socket does not block from now on: `drain` may have read what a selector has just announced."""

    def __init__(self, sock: socket.socket, handle: Callable[[Any], bool]) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._handle = handle
        self._counted = _Counted(sock)
        self._ended = False

    def read(self, _: Any = None) -> bool:
        """Read once. Returns whether more may come; never waits."""
        if not self._ended:
            try:
                self._ended = not self._handle(self._counted)
            except BlockingIOError:
                return True
        return not self._ended

    def drain(self) -> None:
        """Read all that is in the socket now, and not what others add meanwhile: this ends, however fast they write.

        Whatever a process wrote here before it sent a message on another socket is read, when the message has arrived.
        """
        if self._ended:
            return
        until = self._counted.bytes + self._waiting()
        while self._counted.bytes < until and self.read():
            pass

    def _waiting(self) -> int:
        answer = fcntl.ioctl(self._socket, termios.FIONREAD, struct.pack("i", 0))
        return int(struct.unpack("i", answer)[0])
