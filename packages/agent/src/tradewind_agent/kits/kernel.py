"""What the process asks of the Linux kernel. Elsewhere nothing is asked."""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_DUMPABLE = 4


def refuse_inspection() -> None:
    """Let no other process of this user read this one's memory: no /proc/PID/mem, no debugger, no core dump.

    A process with CAP_SYS_PTRACE still may. Holds for forks too, and not for programs this process starts. Raises OSError.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
