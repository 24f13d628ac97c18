"""Programs in processes of their own, which start with the libraries of Airflow imported.

A program that configures an Airflow needs a process that has not imported it, for Airflow reads its configuration then. Of the
two seconds such a process takes to start, most go to libraries that read none. So one process imports these, and is forked
for each program. Airflow and our own packages are imported by each program, in the environment that it was given.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import types
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn

LIBRARIES = (
    *("asyncio", "cryptography.fernet", "dill", "fsspec.implementations.local", "httpx", "jinja2.sandbox"),
    *(
        "jsonschema",
        "libcst",
        "msgspec",
        "pathspec",
        "pendulum",
        "psutil",
        "pydantic",
        "rich.traceback",
        "structlog",
    ),
    *(
        "sqlalchemy.dialects.postgresql",
        "sqlalchemy.dialects.sqlite",
        "sqlalchemy.ext.asyncio",
        "sqlalchemy.orm",
    ),
    *("sqlite3", "tenacity", "upath", "yaml"),
)
"""What Airflow imports, takes long, and reads no configuration."""

_LARGEST = 1 << 17  # bytes of a program and its environment


def run(
    program: str, *arguments: str, env: Mapping[str, str], timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run([sys.executable, "-W", "ignore", "-c", program, *arguments], …)`, its output captured.

    The exit status of a program that was killed, or ended itself without its interpreter, is 255.
    """
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        ended, theirs = socket.socketpair()
        with ended, theirs, open(os.devnull) as stdin:
            fds = [stdin.fileno(), stdout.fileno(), stderr.fileno(), theirs.fileno()]
            pid = _template().fork([program, *arguments], env, fds)
            theirs.close()
            ended.settimeout(timeout)
            try:
                status = ended.recv(1)
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(
            [program, *arguments], status[0] if status else 255, stdout.read(), stderr.read()
        )


class Conversation:
    """A program that answers lines: `ask` writes one to its standard input and returns one of its standard output."""

    def __init__(self, program: str, *arguments: str, env: Mapping[str, str]) -> None:
        self._errors = tempfile.TemporaryFile("w+")
        ours, theirs = socket.socketpair()
        with theirs:
            fds = [theirs.fileno(), theirs.fileno(), self._errors.fileno(), theirs.fileno()]
            self._pid = _template().fork([program, *arguments], env, fds)
        self._socket = ours
        self._lines = ours.makefile("r")

    def ask(self, line: str) -> str:
        """Raises AssertionError with what the program wrote to standard error when it has ended."""
        self._socket.sendall(line.encode() + b"\n")
        answer = self._lines.readline()
        if not answer.endswith("\n"):
            self._errors.seek(0)
            raise AssertionError(self._errors.read())
        return answer

    def close(self) -> None:
        """The end of its input ends the program."""
        self._lines.close()
        self._socket.close()
        self._errors.close()


class _Template:
    """The process with the libraries. It ends when this one does, whatever ends it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", __name__, str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def fork(self, command: list[str], env: Mapping[str, str], fds: list[int]) -> int:
        message = json.dumps([command, dict(env)]).encode()
        assert len(message) < _LARGEST, "a program that long belongs into a file"
        socket.send_fds(self._control, [message], fds)
        return int(self._control.recv(100))

    def close(self) -> None:
        self._control.close()
        self._process.wait()


@cache
def _template() -> _Template:
    made = _Template()
    atexit.register(made.close)
    return made


def _serve(control: socket.socket) -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    while True:
        message, fds, _, _ = socket.recv_fds(control, _LARGEST, 4)
        _collect()
        if not message:
            return
        if pid := os.fork():
            for fd in fds:
                os.close(fd)
            control.sendall(str(pid).encode())
        else:
            control.close()
            _become(*json.loads(message), fds)


def _collect() -> None:
    """Collect the programs that have ended. That they have, their descriptors have told already."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _become(command: list[str], env: dict[str, str], fds: list[int]) -> NoReturn:
    status = 1
    try:
        for number, fd in enumerate(fds[:3]):
            os.dup2(fd, number)
            os.close(fd)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
        os.environ.clear()
        os.environ.update(env)
        sys.path[:0] = [each for each in env.get("PYTHONPATH", "").split(os.pathsep) if each]
        sys.argv = ["-c", *command[1:]]
        warnings.simplefilter("ignore")
        main: Any = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        exec(compile(command[0], "<program>", "exec"), main.__dict__)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if fds[3:]:
            os.write(fds[3], bytes([status & 255]))
        os._exit(status & 255)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
