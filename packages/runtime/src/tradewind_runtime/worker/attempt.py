"""One attempt: its keeper, and the supervisor under it. Both run in processes of their own, forked by the zygote.

The keeper exists because waiting for "any child" is safe only for a process all of whose children are one attempt's:
it adopts what the task left behind, collects it as it ends, and kills what is left. It runs almost no code, so that
nearly all of its memory is shared with the zygote.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from typing import NamedTuple, NoReturn

from tradewind_runtime.worker import ending, kernel, reaper

LAST_WORDS = 2.0
"""Seconds a supervisor has, after its task was killed at the end of the grace, to report that and close the log."""


class Ran(NamedTuple):
    """How work ended, as its supervisor saw it."""

    exit_code: int  # of the work's own process, negative for a signal
    unwanted: str | None = None  # why, when the plane said meanwhile that it must not run any more


Supervise = Callable[[bytearray], Ran]
"""Runs the work described by one RunAttempt line."""


def keep(*, epoch: int, payload: int, reins: socket.socket, supervise: Supervise) -> NoReturn:
    """Be the keeper of one attempt; never returns.

    `payload` is a pipe with the RunAttempt line, read by the supervisor only: the keeper never sees the secret.
    `reins` is a packet socket to the zygote: it sends `{"grace": seconds, "reason": text}` to stop the attempt and
    gets the outcome once nobody of the attempt is left. Its end means the zygote is gone: everyone is killed at once.
    """
    try:
        _keep(epoch, payload, reins, supervise)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)  # whatever went wrong, a forked process must not go on as a second zygote


def _keep(epoch: int, payload: int, reins: socket.socket, supervise: Supervise) -> NoReturn:
    gc.disable()
    kernel.default_signals()
    os.setsid()
    kernel.close_descriptors({payload, reins.fileno()})
    kernel.adopt_orphans()
    woken, wake = os.pipe()
    for fd in (woken, wake):
        os.set_blocking(fd, False)
    # Before the first child: the end of a child that is quicker than us must not go unnoticed.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN
    )  # a group-wide stop is for those below; we are told by `reins`
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    memory_before = kernel.out_of_memory_kills()
    started_at = datetime.now(timezone.utc)
    word_end, word = os.pipe()

    keeper = os.getpid()
    supervisor = os.fork()
    if supervisor == 0:
        kernel.die_with_parent(keeper)
        kernel.default_signals()
        kernel.close_descriptors({payload, word})
        _be_supervisor(payload, word, supervise)
    with suppress(OSError):
        os.setpgid(supervisor, supervisor)  # both sides do, so that it has happened whoever runs first
    os.close(payload)
    os.close(word)

    status, stop_reason = _watch(supervisor, reins, woken)
    unkillable = reaper.kill_descendants()
    facts = ending.Ending(
        started_at=started_at,
        ended_at=datetime.now(timezone.utc),
        wait_status=status,
        word=_last_word(word_end),
        stop_reason=stop_reason,
        out_of_memory=ending.whose_memory(memory_before, kernel.out_of_memory_kills()),
        unkillable=tuple(unkillable),
    )
    with suppress(OSError):
        reins.send(ending.outcome(facts, epoch=epoch).model_dump_json().encode())
    os._exit(0)


def _watch(supervisor: int, reins: socket.socket, woken: int) -> tuple[int, str | None]:
    """Wait for the supervisor's end, passing on a stop. Returns its wait status and why it was stopped, if it was."""
    poller = select.poll()
    poller.register(reins, select.POLLIN)
    poller.register(woken, select.POLLIN)
    stop_reason: str | None = None
    kill_task_at: float | None = None
    kill_all_at: float | None = None
    while True:
        ended = reaper.reap_all()
        if supervisor in ended:
            return ended[supervisor], stop_reason
        now = time.monotonic()
        if kill_all_at is not None and now >= kill_all_at:
            reaper.send(reaper.descendants(os.getpid()), signal.SIGKILL)
            kill_all_at = now + 1.0
        elif kill_task_at is not None and now >= kill_task_at:
            below = [pid for pid in reaper.descendants(os.getpid()) if pid != supervisor]
            reaper.send(below, signal.SIGKILL)
            kill_task_at, kill_all_at = None, now + LAST_WORDS
        next_at = kill_task_at if kill_task_at is not None else kill_all_at
        events = dict(poller.poll(None if next_at is None else max(0.0, next_at - now) * 1000 + 1))
        if woken in events:
            os.read(woken, 4096)
        if reins.fileno() in events:
            request = reins.recv(65536)
            if not request:
                poller.unregister(reins)
                stop_reason, kill_all_at = stop_reason or "the host process is gone", now
            elif stop_reason is None:
                asked = json.loads(request)
                stop_reason, kill_task_at = str(asked["reason"]), now + float(asked["grace"])
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(supervisor, signal.SIGTERM)


def _last_word(pipe: int) -> dict[str, object] | None:
    os.set_blocking(pipe, False)
    try:
        said = json.loads(os.read(pipe, 65536) or b"null")
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _be_supervisor(payload: int, word: int, supervise: Supervise) -> NoReturn:
    """Read the work, do it, say how it went. Everything the attempt needs to keep secret lives from here down."""
    os.setpgid(0, 0)
    gc.enable()
    code = 1
    try:
        said: dict[str, object]
        me = os.getpid()

        def in_the_tasks_process() -> None:
            kernel.die_with_parent(me)
            kernel.default_signals()
            os.close(word)

        kernel.after_fork_of_mine(in_the_tasks_process)
        try:
            with os.fdopen(payload, "rb") as source:
                line = bytearray(source.read())
            said = supervise(line)._asdict()
            code = 0
        except Exception as problem:
            # Plainly, without local variables: one of them is the client with its secret.
            traceback.print_exc()
            said = {"problem": f"{type(problem).__name__}: {problem}"[:3000]}
        os.write(word, json.dumps(said).encode())
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
    finally:
        os._exit(code)
