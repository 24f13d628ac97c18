"""What the process asks of the Linux kernel. Elsewhere nothing is asked."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_CAPABILITY_VERSION_3 = 0x20080522
_PR_CAP_AMBIENT_CLEAR_ALL = 4


def keep_capabilities() -> None:
    """Hand none of this process's capabilities down to programs it starts. Raises OSError."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice, of 32 bits each
    _require(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    _require(libc.capget(header, sets))
    sets[2] = sets[5] = 0
    _require(libc.capset(header, sets))


@contextmanager
def capabilities_over_a_change_of_user(kept: Iterable[int]) -> Iterator[None]:
    """Inside, this process changes from root to another user; after it, it has these capabilities and no others. Each is the
    kernel's number, below 32. Raises OSError."""
    if sys.platform != "linux":
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    _require(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    yield
    mask = sum(1 << number for number in kept)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _require(libc.capset(header, (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)))
    _require(libc.prctl(_PR_SET_KEEPCAPS, 0, 0, 0, 0))


def _require(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def refuse_inspection() -> None:
    """Let no other process of this user read this one's memory: no /proc/PID/mem, no debugger, no core dump.

    A process with CAP_SYS_PTRACE still may. Holds for forks too, and not for programs this process starts. Raises OSError.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    _require(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))
