"""The process that `support.forked` forks its programs from: it has imported the libraries of Airflow, and ends with its owner.

`python -m support.forked_template CONTROL PATH [PROGRAM]` takes requests from the socket CONTROL, and one from each connection
to PATH. What its forks have in common beside the libraries, PROGRAM has done before. A
request is JSON, `[command, environment, descriptors' numbers]`, with the descriptors beside it. The answer is the pid of the fork.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
import types
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import setproctitle

LIBRARIES = (
    *("annotated_types", "asyncio", "cron_descriptor", "croniter", "cryptography.fernet", "dill"),
    *("email.message", "fsspec.implementations.local", "h11", "httpcore", "httpx", "importlib_metadata"),
    *(
        "itsdangerous",
        "jinja2.sandbox",
        "jsonschema",
        "libcst",
        "msgspec",
        "packaging.requirements",
        "pathspec",
    ),
    *(
        "pendulum",
        "pluggy",
        "psutil",
        "pydantic",
        "pydantic.main",
        "pydantic.networks",
        "pydantic.type_adapter",
    ),
    *("pydantic.types", "rich.traceback", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite"),
    *("sqlalchemy.ext.associationproxy", "sqlalchemy.ext.asyncio", "sqlalchemy.orm", "sqlite3", "structlog"),
    *("tabulate", "tenacity", "upath.registry", "uuid6", "yaml"),
)
"""What Airflow imports, takes long, and reads no configuration."""

LARGEST = 1 << 17  # bytes of a program and its environment
_MOST = 8  # descriptors


def _serve(control: socket.socket, path: str, program: str = "") -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        gc.disable()  # what is imported stays
        for name in LIBRARIES:
            importlib.import_module(name)
        exec(compile(program, "<program>", "exec"), {"__name__": "prepared"})
        setproctitle.getproctitle()  # finds where a title is written, which a fork with another environment does not
        gc.freeze()  # a fork would look through them again and again, and copy them by that
        control.sendall(b"ready")
        while True:
            ready, _, _ = select.select([control, listener], [], [])
            if listener in ready:
                asking, _ = listener.accept()
                with asking:
                    _answer(asking, others=[control, listener])
            if control in ready and not _answer(control, others=[listener]):
                return


def _answer(asking: socket.socket, others: list[socket.socket]) -> bool:
    """Fork what is asked for. False when there is nobody to ask any more. The fork does not hold `others`."""
    message, fds, _, _ = socket.recv_fds(asking, LARGEST, _MOST)
    _collect()
    if not message:
        return False
    if pid := os.fork():
        for fd in fds:
            os.close(fd)
        asking.sendall(str(pid).encode())
        return True
    for each in (asking, *others):
        each.close()
    command, env, keep = json.loads(message)
    if command[0] == "-m":
        _guard(command[1:], env, fds, keep)
    _become(command, env, fds)


def _collect() -> None:
    """Collect the programs that have ended. That they have, their descriptors have told already."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _guard(command: list[str], env: dict[str, str], fds: list[int], keep: list[int]) -> NoReturn:
    """Fork the process, say its pid, and at its end its exit status: whoever asked for it is not its parent.

    The process and what it has in its group are killed when whoever asked for it is gone.
    """
    asking = socket.socket(fileno=fds[3])
    pid = os.fork()
    if pid == 0:
        os.setsid()
        _be(command, env, fds, keep)
    for fd in (*fds[:3], *fds[4:]):
        os.close(fd)
    ended = os.pidfd_open(pid)
    with contextlib.suppress(BrokenPipeError):  # whoever asked is gone, which is what is looked for below
        asking.sendall(str(pid).encode())
    if ended not in select.select([ended, asking], [], [])[0]:
        os.killpg(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        asking.sendall(str(status).encode())
    os._exit(0)


def _be(command: list[str], env: dict[str, str], fds: list[int], keep: list[int]) -> NoReturn:
    high = 512  # above every number that is wanted
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, high) for fd in fds]
    os.closerange(3, high)
    for fd, number in zip([*moved[:3], *moved[4:]], [0, 1, 2, *keep], strict=True):
        os.dup2(fd, number)
    os.closerange(high, high + len(moved) + 1)
    _start(env)
    sys.argv = command
    os._exit(_status_of(lambda: runpy.run_module(command[0], run_name="__main__", alter_sys=True)))


def _status_of(program: Callable[[], object]) -> int:
    """Run it, and return the exit status that an interpreter would have ended with."""
    try:
        program()
        return 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return (end.code if isinstance(end.code, int) else int(end.code is not None)) & 255
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _start(env: dict[str, str]) -> None:
    gc.enable()
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
    _serve(socket.socket(fileno=int(sys.argv[1])), *sys.argv[2:])
