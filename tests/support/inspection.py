"""Whether another process of the same user can read the memory of a process."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

_DROP: Final = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_SYS_PTRACE = 24, 19
ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0)  # only root has it, and only root can drop it
os.execv(sys.argv[1], sys.argv[1:])
"""

ORDINARY: Final = (sys.executable, "-c", _DROP)
"""In front of a command: it runs without the capability to read every process, as for a user that is not root."""


def can_be_read(pid: int) -> bool:
    """True when an ordinary process opens /proc/PID/mem. For a process that was started through `ORDINARY`."""
    looking = f"open('/proc/{pid}/mem', 'rb').close()"
    done = subprocess.run(
        [*ORDINARY, sys.executable, "-c", looking], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0
