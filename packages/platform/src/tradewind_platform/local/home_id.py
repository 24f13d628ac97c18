"""The id of a directory that has Deployments. It moves with the directory, to another path or machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from uuid import UUID, uuid4


def home_id(home: Path) -> UUID:
    """The id, made at the first call."""
    file, part = home / "id", home / f"id.{uuid4()}"
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    if not file.exists():
        # Whole from its first moment: another process may read it, or this one may be killed.
        part.touch(mode=0o600)
        part.write_text(f"{uuid4()}\n", encoding="utf-8")
        try:
            os.link(part, file)
        except FileExistsError:
            pass
        finally:
            part.unlink()
    return UUID(file.read_text(encoding="utf-8").strip())


def place_of(home: Path) -> str:
    """Where it is, for people."""
    return f"{home} on {socket.gethostname()}"
