"""The supervisor's process: forked by the zygote or by its warm copy, it serves attempts one after the other.

Waiting for "any child" is safe in it because all of its children are one attempt's at a time: it adopts what the task
left behind, collects it as it ends, and kills what is left before it says how the attempt went.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

from tradewind_runtime.worker import kernel, reaper


class Ran(NamedTuple):
    """How work ended, as its supervisor saw it."""

    exit_code: int  # of the work's own process, negative for a signal
    unwanted: str | None = None  # why, when the plane said meanwhile that it must not run any more


Supervise = Callable[[bytearray], Ran]
"""Runs the work described by one RunAttempt line."""


def serve(reins: socket.socket, supervise: Supervise) -> NoReturn:
    """Be a supervisor's process; never returns.

    `reins` is a packet socket to the zygote. Each packet brings one descriptor, a pipe with the RunAttempt line, which
    the zygote never keeps: it holds a secret. The answer is one packet, once nobody of the attempt is left: how it
    went. The end of `reins` means that no more will come, or that the zygote is gone: everyone is killed at once.
    """
    try:
        _serve(reins, supervise)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)  # whatever went wrong, a forked process must not go on as a second zygote


def _serve(reins: socket.socket, supervise: Supervise) -> NoReturn:
    kernel.default_signals()
    os.setsid()
    kernel.close_descriptors({reins.fileno()})
    kernel.adopt_orphans()
    me = os.getpid()

    def in_the_tasks_process() -> None:
        kernel.die_with_parent(me)
        kernel.default_signals()
        reins.close()

    kernel.after_fork_of_mine(in_the_tasks_process)
    signal.signal(kernel.NEWS, lambda *_: _end_if_alone(reins))
    kernel.signal_news_of(reins)
    _end_if_alone(reins)  # it may have ended before we asked
    gc.enable()
    while True:
        _, descriptors, _, _ = socket.recv_fds(reins, 8, 1)
        if not descriptors:
            os._exit(0)
        word = _one(descriptors[0], supervise)
        word["unkillable"] = reaper.kill_descendants()
        reins.send(json.dumps(word).encode())


def _end_if_alone(reins: socket.socket) -> None:
    """End, and everyone below, when nobody holds the other end any more."""
    try:
        alone = not reins.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return
    except OSError:
        alone = True
    if alone:
        reaper.kill_descendants()
        os._exit(137)


def _one(payload: int, supervise: Supervise) -> dict[str, Any]:
    """Read the work, do it, say how it went. Everything the attempt needs to keep secret lives from here down."""
    said: dict[str, Any]
    try:
        with os.fdopen(payload, "rb") as source:
            line = bytearray(source.read())
        said = supervise(line)._asdict()
    except Exception as problem:
        # Plainly, without local variables: one of them is the client with its secret.
        traceback.print_exc()
        said = {"problem": f"{type(problem).__name__}: {problem}"[:3000]}
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    return said
