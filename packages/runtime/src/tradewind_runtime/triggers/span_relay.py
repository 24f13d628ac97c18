"""Spans of triggers on their way to the agent: from the process that runs them, which has no secret, through this one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Final

LARGEST: Final = 1024 * 1024
"""Bytes of one request with spans; the pipe takes less."""


class SpanRelay:
    """A pipe, and a thread that hands on what comes through it. What does not fit is dropped: no trigger waits for its traces."""

    def __init__(self, send: Callable[[bytes], object]) -> None:
        self._send = send
        self._receiving, self.pipe = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pipe.setblocking(False)

    def be_the_sender(self) -> socket.socket:
        """In the process that runs triggers, just forked: the end that it writes requests to."""
        self._receiving.close()
        return self.pipe

    def start(self) -> None:
        """In the process that forked it, afterwards: call `send` with each request, until the other process has ended."""
        self.pipe.close()
        threading.Thread(target=self._run, name="tradewind-spans", daemon=True).start()

    def _run(self) -> None:
        with self._receiving:
            while request := self._receiving.recv(LARGEST):
                self._send(request)
