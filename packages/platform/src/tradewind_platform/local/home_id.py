"""The id of a directory that has Deployments. It moves with the directory, to another path or machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from uuid import UUID, uuid4


def home_id(home: Path) -> UUID:
    """The id, made at the first call."""
    file = home / "id"
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    try:
        with open(file, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as opened:
            opened.write(f"{uuid4()}\n")
    except FileExistsError:
        pass
    return UUID(file.read_text(encoding="utf-8").strip())


def place_of(home: Path) -> str:
    """Where it is, for people."""
    return f"{home} on {socket.gethostname()}"
