"""The gateway's unix socket, which only this user and the group of the tasks' users can open, and the HTTP server on it."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tradewind_agent.errors import SettingsWrong
from tradewind_agent.kits.serving import Serving

LONGEST_PATH = 107  # bytes; the kernel's limit for the address of a unix socket
_LONGEST_IN_STATE_DIR = 100
_KEEP_ALIVE = 300  # seconds; a supervisor's client asks every few seconds, and reconnecting costs it more


class SocketServer:
    """Serves an ASGI application on `path` from entering to leaving the context; see `Serving`. Leaving removes the
    socket."""

    def __init__(self, app: Any, path: Path, *, grace: float = 2.0, group: int | None = None) -> None:
        self._app = app
        self._path = path
        self._grace = grace
        self._group = group

    async def __aenter__(self) -> SocketServer:
        listener = bind(self._path, group=self._group)
        self._serving = Serving(
            self._app,
            listener,
            name="gateway-server",
            grace=self._grace,
            keep_alive=_KEEP_ALIVE,
            date_header=False,
        )
        await self._serving.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._serving.__aexit__(*error)
        finally:
            self._path.unlink(missing_ok=True)


@contextmanager
def socket_place(state_dir: Path, *, shared: bool = False) -> Iterator[Path]:
    """Where the socket goes: the state directory, or a private temporary one while inside, when that path is too long
    for the kernel. `shared`: processes of other users can reach it."""
    path = state_dir / "gateway.sock"
    if len(os.fsencode(path)) <= _LONGEST_IN_STATE_DIR:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="tradewind-") as directory:
        os.chmod(directory, 0o711 if shared else 0o700)
        yield Path(directory) / path.name


def bind(path: Path, *, group: int | None = None) -> socket.socket:
    """A listening socket that was never open to others than this user and `group`. Replaces one that a dead process left
    behind."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise SettingsWrong(
            f"the path of the gateway's socket is longer than {LONGEST_PATH} bytes: {path}",
            remedy="Set state_dir to a shorter path",
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(OSError):  # other systems refuse it; chmod follows
            os.fchmod(listener.fileno(), 0o600)  # on Linux the file is born with this mode
        listener.bind(str(path))
        if group is not None:
            os.chown(path, -1, group)
        os.chmod(path, 0o600 if group is None else 0o660)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
