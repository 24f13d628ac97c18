"""A second process to fork attempts from: the prefork process with the libraries that Dag files import added.

It is forked from the prefork process, imports, and then does nothing but fork process managers. They become the prefork process's children, as if
it had forked them itself: the process between dies at once, and the prefork process is the next adopter above.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn, Protocol

import structlog

from tradewind_runtime import kernel
from tradewind_runtime.accelerators.libraries import import_notes, preload

log = structlog.get_logger(__name__)

_LOOK_EVERY = 1.0
"""Seconds between two looks at whether a preloaded file was changed on disk."""

_ANSWERS_WITHIN = 5.0


class Forking(Protocol):
    """What is done around forks, by the process that was preloaded as by the prefork process."""

    def imported(self) -> None:
        """Everything is imported: from here on the process only forks."""

    def settle(self) -> None:
        """Called before each fork."""

    def serve(self, control_socket: socket.socket) -> NoReturn:
        """Be an attempt process manager, just forked."""


class PreloadedProcess:
    """The prefork process's end of one such process."""

    def __init__(self, modules: Sequence[str], forking: Forking) -> None:
        self.asked_for = tuple(modules)
        self.modules: frozenset[str] = frozenset()
        self.ready = False
        self._fingerprints: dict[str, import_notes.Fingerprint] = {}
        self._looked_at = float("-inf")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        prefork = os.getpid()
        forking.settle()
        try:
            self.pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if self.pid == 0:
            _run(prefork, theirs, self.asked_for, forking)
        theirs.close()
        self._socket = ours

    def fileno(self) -> int:
        return self._socket.fileno()

    def read_ready(self) -> bool:
        """Read what it says: that it is ready. False when it has ended."""
        line = b""
        self._socket.settimeout(_ANSWERS_WITHIN)
        try:
            while not line.endswith(b"\n"):
                part = self._socket.recv(1 << 20)
                if not part:
                    return False
                line += part
            said = json.loads(line)
        except (OSError, ValueError):
            return False
        self._fingerprints = {file: (stamp, size) for file, (stamp, size) in said["fingerprints"].items()}
        self.modules = frozenset(said["modules"])
        self.ready = True
        for module, reason in said["refused"]:
            log.info("A module is not preloaded", action="preload_refused", module=module, reason=reason)
        log.info("Libraries are preloaded", action="preloaded", modules=len(self.modules))
        return True

    def changed(self) -> bool:
        """Whether a file it has imported is not what it was; looked at once a second at most."""
        now = time.monotonic()
        if now < self._looked_at + _LOOK_EVERY:
            return False
        self._looked_at = now
        return any(import_notes.fingerprint(file) != known for file, known in self._fingerprints.items())

    def fork(self, control_socket: socket.socket) -> int | None:
        """A process manager's pid, as from os.fork in the prefork process. None when there is none: this process is of no use."""
        self._socket.settimeout(_ANSWERS_WITHIN)
        try:
            socket.send_fds(self._socket, [b"fork"], [control_socket.fileno()])
            answer = b""
            while len(answer) < 8:
                part = self._socket.recv(8 - len(answer))
                if not part:
                    return None
                answer += part
        except OSError:
            return None
        return int.from_bytes(answer, "big") or None

    def close(self) -> None:
        """End it. Process managers it has forked live on."""
        self._socket.close()
        with suppress(ProcessLookupError):
            os.kill(self.pid, 9)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def _run(prefork: int, control: socket.socket, modules: Sequence[str], forking: Forking) -> NoReturn:
    try:
        kernel.die_with_parent(prefork)
        kernel.default_signals()
        kernel.close_descriptors({control.fileno()})
        kernel.title("tradewind worker process, preloaded")
        before = set(sys.modules)
        refused = preload.preload(modules)
        files = {
            file
            for name in set(sys.modules) - before
            if isinstance(file := getattr(sys.modules[name], "__file__", None), str)
        }
        os.register_at_fork(after_in_child=_fresh_randomness)
        forking.imported()
        said: dict[str, Any] = {
            "modules": sorted(set(sys.modules) - before),
            "fingerprints": {file: import_notes.fingerprint(file) for file in files},
            "refused": [(each.module, each.reason) for each in refused][:50],
        }
        control.sendall(json.dumps(said).encode() + b"\n")
        while True:
            _fork_one(control, forking)
    finally:
        os._exit(0)


def _fork_one(control: socket.socket, forking: Forking) -> None:
    select.select([control], [], [])
    asked, descriptors, _, _ = socket.recv_fds(control, 8, 1)
    if not asked or len(descriptors) != 1:
        os._exit(0)  # the prefork process has closed its end
    forking.settle()
    read_end, write_end = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid == 0:
            forking.serve(socket.socket(fileno=descriptors[0]))
        os.write(write_end, pid.to_bytes(8, "big"))
        os._exit(0)
    for fd in (*descriptors, write_end):
        os.close(fd)
    answer = os.read(read_end, 8)
    os.close(read_end)
    os.waitpid(between, 0)  # from here on the process manager is the prefork process's child
    control.sendall(answer if len(answer) == 8 else bytes(8))


def _fresh_randomness() -> None:
    """numpy seeds its shared generator once, at its import; Python's own seeds itself after a fork."""
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
