"""From one API server process to another of the same machine: a request and its answer over a unix socket.

Each listens at `AIRFLOW_HOME/tradewind/logs/<its id>.sock`, in a directory only this user can enter.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from tradewind_provider.airflow import database
from tradewind_provider.notifications.transport import remove_socket, short_path

log = logging.getLogger(__name__)

LARGEST = 8 * 1024 * 1024
_PATIENCE = 30.0

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def directory() -> Path:
    return database.airflow_home() / "tradewind" / "logs"


@asynccontextmanager
async def listening(server: UUID, answer: Answer, *, place: Path | None = None) -> AsyncIterator[None]:
    """While entered, the other API servers of this machine reach `answer`. A directory that cannot be used is logged; work goes on
    without."""
    place = place or directory()
    path = place / f"{server}.sock"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            message = json.loads(await reader.readline())
            writer.write(json.dumps(await answer(message)).encode() + b"\n")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            # The API server that asked ended meanwhile; it answers its reader itself.
            log.debug(
                "A request of another API server was not answered: %s", error, extra={"action": "peers_off"}
            )
        finally:
            writer.close()

    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with short_path(place) as prefix:
            listener = await asyncio.start_unix_server(serve, f"{prefix}/{server}.sock", limit=LARGEST)
    except OSError as error:
        log.warning(
            "Other API servers of this machine cannot pass logs on to this one: %s",
            error,
            extra={"action": "peers_off"},
        )
        yield
        return
    try:
        yield
    finally:
        listener.close()
        remove_socket(path)


async def ask(server: UUID, message: dict[str, Any], *, place: Path | None = None) -> dict[str, Any] | None:
    """The answer of the API server with this id; None when it is not on this machine, or does not answer."""
    place = place or directory()
    if not (place / f"{server}.sock").exists():
        return None
    try:
        with short_path(place) as prefix:
            reader, writer = await asyncio.open_unix_connection(f"{prefix}/{server}.sock", limit=LARGEST)
    except OSError as error:
        if isinstance(error, ConnectionRefusedError):  # it was killed, and left its socket
            remove_socket(place / f"{server}.sock")
        return None
    try:
        writer.write(json.dumps(message).encode() + b"\n")
        await writer.drain()
        answer = json.loads(await asyncio.wait_for(reader.readline(), _PATIENCE))
        return answer if isinstance(answer, dict) else None
    except (OSError, ValueError, asyncio.TimeoutError):
        return None
    finally:
        writer.close()
