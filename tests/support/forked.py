"""Programs in processes of their own, which start with the libraries of Airflow imported.

A program that configures an Airflow needs a process that has not imported it, for Airflow reads its configuration then. Of the
two seconds such a process takes to start, most go to libraries that read none. So one process imports these, and is forked
for each program. Airflow and our own packages are imported by each program, in the environment that it was given.

Programs that are given the same environment again and again can be forked from a process that has imported these, too: it is
started in that environment, and has run what its programs are `prepared` by.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from support.forked_template import LARGEST


def run(
    program: str,
    *arguments: str,
    env: Mapping[str, str],
    also: Mapping[str, str] | None = None,
    given: str = "",
    timeout: float = 60,
    prepared: str = "",
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run([sys.executable, "-W", "ignore", "-c", program, *arguments], …)`, its output captured. Its standard
    input is a file that holds what it is `given`. With a program that it is `prepared` by, it is forked from a process in which
    this one has run, once for all that have it and `env` in common. The variables of `also` join those of `env` as it starts.

    The exit status of a program that was killed, or ended itself without its interpreter, is 255.
    """
    files = [tempfile.TemporaryFile("w+") for _ in range(3)]
    with files[0] as stdin, files[1] as stdout, files[2] as stderr:
        stdin.write(given)
        stdin.seek(0)
        ended, theirs = socket.socketpair()
        with ended, theirs:
            fds = [stdin.fileno(), stdout.fileno(), stderr.fileno(), theirs.fileno()]
            template = _prepared(prepared, env) if prepared else _template()
            pid = template.fork([program, *arguments], {**env, **(also or {})}, fds)
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


def run_module(module: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """As `run`, for `python -W ignore -m module`."""
    return run(f"import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)", **options)


def python(file: Path, *, env: Mapping[str, str] | None = None, prepared: str = "") -> Path:
    """Make `file` a program that is called as `python -m MODULE`, and forks the module instead of starting an interpreter.

    It ends as the module does, and the module ends when it is killed. With a program that it is `prepared` by, the module is
    forked from a process in which this one has run with `env`, and has the variables that the program is called with. Make it
    anew for each test: such a process ends when others are needed.
    """
    template = _prepared(prepared, env or {}) if prepared else _template()
    file.write_text(_PYTHON.format(python=sys.executable, path=template.path))
    file.chmod(0o755)
    return file


_PYTHON = """#!{python} -IS
import json, os, socket, sys
asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
asking.connect({path!r})
ended, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
request = json.dumps([sys.argv[1:], dict(os.environ), []]).encode()
socket.send_fds(asking, [request], [0, 1, 2, theirs.fileno()])
asking.recv(100)
theirs.close()
ended.recv(100)
for fd in (0, 1, 2):
    os.close(fd)
status = int(ended.recv(100))
if status < 0:
    os.kill(os.getpid(), -status)
os._exit(status)
"""


class Conversation:
    """A program that answers lines: `ask` writes one to its standard input and returns one of its standard output."""

    def __init__(
        self,
        program: str,
        *arguments: str,
        env: Mapping[str, str],
        also: Mapping[str, str] | None = None,
        prepared: str = "",
    ) -> None:
        """`also` and `prepared` are as of `run`."""
        template = _prepared(prepared, env) if prepared else _template()
        self._errors = tempfile.TemporaryFile("w+")
        ours, theirs = socket.socketpair()
        with theirs:
            fds = [theirs.fileno(), theirs.fileno(), self._errors.fileno(), theirs.fileno()]
            template.fork([program, *arguments], {**env, **(also or {})}, fds)
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
        self,
        module: str,
        *arguments: str,
        env: Mapping[str, str],
        pass_fds: Sequence[int] = (),
        output: int,
        prepared: str = "",
        after: tuple[str, Mapping[str, str]] | None = None,
        also: Mapping[str, str] | None = None,
    ) -> None:
        """`output` is the descriptor that it writes to; descriptors of `pass_fds` keep their numbers.

        The variables of `also` join those of `env`. With a program that it is `prepared` by, the process is forked from one in
        which this program has run, once for all that have it and `env` in common. Of `after`, a program and its variables, that
        one is forked from a process in which this other program has run: many that differ may have it in common.
        """
        template = _prepared(prepared, env, after) if prepared else _template()
        self.returncode: int | None = None
        self._ended, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, open(os.devnull) as stdin:
            fds = [stdin.fileno(), output, output, theirs.fileno(), *pass_fds]
            command = ["-m", module, *arguments]
            guardian = template.fork(command, {**env, **(also or {})}, fds, keep=pass_fds)
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
    """A process that others are forked from. It ends when this one does, whatever ends it."""

    def __init__(self, start: Callable[[list[str], int], Process | subprocess.Popen[bytes]]) -> None:
        """`start` is given the arguments of `support.forked_template`, and the descriptor that it inherits."""
        self._directory = tempfile.mkdtemp(prefix="tw-")
        self.path = f"{self._directory}/forks"
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = start([str(theirs.fileno()), self.path], theirs.fileno())
        assert self._control.recv(100) == b"ready", "the process that others are forked from did not start"

    def fork(
        self, command: list[str], env: Mapping[str, str], fds: list[int], keep: Sequence[int] = ()
    ) -> int:
        """The last of `fds` get the numbers of `keep`."""
        message = json.dumps([command, dict(env), list(keep)]).encode()
        assert len(message) < LARGEST, "a program that long belongs into a file"
        socket.send_fds(self._control, [message], fds)
        return int(self._control.recv(100))

    def close(self) -> None:
        self._control.close()
        self._process.wait()
        shutil.rmtree(self._directory)


@cache
def _template() -> _Template:
    """The one with the libraries."""

    def start(arguments: list[str], inherits: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", _MODULE, *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
            pass_fds=[inherits],
            stdin=subprocess.DEVNULL,
        )

    made = _Template(start)
    atexit.register(made.close)
    return made


def _prepared(
    program: str, env: Mapping[str, str], after: tuple[str, Mapping[str, str]] | None = None
) -> _Template:
    """The one in which the program has run; it is forked from one in which that of `after` has."""
    before, common = after or ("", {})

    def start(arguments: list[str], inherits: int) -> Process:
        return Process(
            *(_MODULE, *arguments, program),
            env=common if before else env,
            also=env,
            pass_fds=[inherits],
            output=2,
            prepared=before,
        )

    key = (program, before, tuple(sorted(env.items())), tuple(sorted(common.items())))
    kept = _kept()
    # The last one is that which was asked for last.
    kept[key] = found = kept.pop(key, None) or _Template(start)
    while len(kept) > _MOST_KEPT:
        kept.pop(next(iter(kept))).close()
    return found


@cache
def _kept() -> dict[tuple[object, ...], _Template]:
    def close() -> None:
        for each in kept.values():
            each.close()

    _template()  # is closed after those that are forked from it
    kept: dict[tuple[object, ...], _Template] = {}
    atexit.register(close)
    return kept


_MODULE = "support.forked_template"
_MOST_KEPT = 6
"""Each takes up to 80 MB of its own, and tests of one kind follow each other."""
