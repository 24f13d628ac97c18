"""Programs in processes of their own, which start with the libraries of Airflow imported.

A program that configures an Airflow needs a process that has not imported it, for Airflow reads its configuration then. Of the
two seconds such a process takes to start, most go to libraries that read none. So one process imports these, and is forked
for each program. Airflow and our own packages are imported by each program, in the environment that it was given.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
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
_MOST = 8  # descriptors


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


class Process:
    """A module that runs as `python -W ignore -m module` does, in a session of its own, and is waited for like a `subprocess.Popen`.

    `/proc/<pid>/environ` and `cmdline` are those of the process it was forked from: whoever looks at these needs a Python of its own.
    """

    def __init__(
        self, module: str, *, env: Mapping[str, str], pass_fds: Sequence[int] = (), output: int
    ) -> None:
        """`output` is the descriptor that it writes to; descriptors of `pass_fds` keep their numbers."""
        self.returncode: int | None = None
        self._ended, theirs = socket.socketpair()
        with theirs, open(os.devnull) as stdin:
            fds = [stdin.fileno(), output, output, theirs.fileno(), *pass_fds]
            guardian = _template().fork(["-m", module], env, fds, keep=pass_fds)
        self.pid = int(self._ended.recv(100))
        assert guardian != self.pid

    def poll(self) -> int | None:
        """Its exit status, minus the number of the signal that killed it, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired after `timeout` seconds."""
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = int(self._ended.recv(100))
            self._ended.close()
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


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

    def fork(
        self, command: list[str], env: Mapping[str, str], fds: list[int], keep: Sequence[int] = ()
    ) -> int:
        """The last of `fds` get the numbers of `keep`."""
        message = json.dumps([command, dict(env), list(keep)]).encode()
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
        message, fds, _, _ = socket.recv_fds(control, _LARGEST, _MOST)
        _collect()
        if not message:
            return
        if pid := os.fork():
            for fd in fds:
                os.close(fd)
            control.sendall(str(pid).encode())
        else:
            control.close()
            command, env, keep = json.loads(message)
            if command[0] == "-m":
                _guard(command[1], env, fds, keep)
            _become(command, env, fds)


def _collect() -> None:
    """Collect the programs that have ended. That they have, their descriptors have told already."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _guard(module: str, env: dict[str, str], fds: list[int], keep: list[int]) -> NoReturn:
    """Fork the process, say its pid, and at its end its exit status: whoever asked for it is not its parent."""
    told = socket.socket(fileno=fds[3])
    pid = os.fork()
    if pid == 0:
        os.setsid()
        _be(module, env, fds, keep)
    for fd in (*fds[:3], *fds[4:]):
        os.close(fd)
    told.sendall(str(pid).encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        told.sendall(str(status).encode())
    os._exit(0)


def _be(module: str, env: dict[str, str], fds: list[int], keep: list[int]) -> NoReturn:
    high = 512  # above every number that is wanted
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, high) for fd in fds]
    os.closerange(3, high)
    for fd, number in zip([*moved[:3], *moved[4:]], [0, 1, 2, *keep], strict=True):
        os.dup2(fd, number)
    os.closerange(high, high + len(moved) + 1)
    _start(env)
    sys.argv = [module]
    os._exit(_status_of(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True)))


def _status_of(program: Callable[[], object]) -> int:
    """Run it, and return the exit status that an interpreter would have ended with."""
    try:
        program()
        return 0
    except SystemExit as end:
        return (end.code if isinstance(end.code, int) else int(end.code is not None)) & 255
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _start(env: dict[str, str]) -> None:
    # As at the start of an interpreter: who replaces one of them does not close its descriptor.
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)
    sys.stderr = open(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = [each for each in env.get("PYTHONPATH", "").split(os.pathsep) if each]
    warnings.simplefilter("ignore")


def _become(command: list[str], env: dict[str, str], fds: list[int]) -> NoReturn:
    for number, fd in enumerate(fds[:3]):
        os.dup2(fd, number)
        os.close(fd)
    _start(env)
    sys.argv = ["-c", *command[1:]]
    main: Any = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    status = _status_of(lambda: exec(compile(command[0], "<program>", "exec"), main.__dict__))
    if fds[3:]:
        os.write(fds[3], bytes([status]))
    os._exit(status)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
