"""Carries topics from one process of the plane to its API servers: by NOTIFY, or by datagrams on unix sockets.

PostgreSQL delivers them itself, with the transaction that sends them. Every other database is one machine's (SQLite), so a
datagram to each API server's socket under `AIRFLOW_HOME/tradewind/wake` does; a socket that no process reads is removed.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import event, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from tradewind_provider.airflow import database

log = logging.getLogger(__name__)

CHANNEL = "tradewind"
_TOPICS = "tradewind_topics"
_LISTENING = "tradewind_listening"
_DSN_OPTIONS = ("host", "port", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslpassword", "sslcrl")
_RECONNECT_FIRST, _RECONNECT_MOST = 0.5, 15.0


# ---- sending


def send_at_commit(session: Session, topic: str) -> None:
    """Send `topic` to every API server once the transaction of `session` commits, and only then."""
    if database.dialect(session) == "postgresql":
        session.execute(text("SELECT pg_notify(:channel, :topic)"), {"channel": CHANNEL, "topic": topic})
        return
    session.info.setdefault(_TOPICS, set()).add(topic)
    if not session.info.get(_LISTENING):
        session.info[_LISTENING] = True
        event.listen(session, "after_commit", _after_commit)
        event.listen(session, "after_rollback", _after_rollback)


def _after_commit(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint was released: nothing is visible to others yet
        return
    for topic in session.info.pop(_TOPICS, ()):
        send_datagrams(wake_directory(), topic)


def _after_rollback(session: Session) -> None:
    session.info.pop(_TOPICS, None)


def wake_directory() -> Path:
    return database.airflow_home() / "tradewind" / "wake"


def send_datagrams(directory: Path, topic: str) -> None:
    """Send `topic` to every socket in `directory`. Never blocks, never raises: a process that misses it looks with its next sweep."""
    try:
        names = [name for name in os.listdir(directory) if name.endswith(".sock")]
    except OSError:
        return
    if not names:
        return
    with short_path(directory) as prefix, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for name in names:
            try:
                sender.sendto(topic.encode(), f"{prefix}/{name}")
            except ConnectionRefusedError:
                remove_socket(directory / name)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.ENOBUFS, errno.ENOENT):
                    log.debug("Could not notify %s: %s", name, error, extra={"action": "wake_failed"})


@contextmanager
def short_path(directory: Path) -> Iterator[str]:
    """The directory by a name that leaves room for a socket's: paths of sockets end at about 100 bytes."""
    if not sys.platform.startswith("linux"):
        yield str(directory)
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def remove_socket(path: Path) -> None:
    """Remove a socket that no process reads. Never raises: another process may have removed it, or its directory."""
    try:
        os.unlink(path)
    except OSError as error:
        log.debug("Could not remove %s: %s", path, error, extra={"action": "wake_failed"})


# ---- receiving


async def receive(notify: Callable[[str], None]) -> None:
    """Call `notify(topic)` for each notification, until cancelled. Reconnects by itself, and calls `notify("*")` after a gap, since any
    topic may have been missed."""
    if make_url(database.url()).get_backend_name() == "postgresql":
        await _receive_notifications(notify)
    else:
        await _receive_datagrams(notify, wake_directory())


async def _receive_datagrams(notify: Callable[[str], None], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{os.getpid()}-{secrets.token_hex(4)}.sock"
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.setblocking(False)
        with short_path(directory) as prefix:
            receiver.bind(f"{prefix}/{name}")
        try:
            notify("*")
            while True:
                notify((await loop.sock_recv(receiver, 256)).decode(errors="replace"))
        finally:
            remove_socket(directory / name)


async def _receive_notifications(notify: Callable[[str], None]) -> None:
    try:
        import asyncpg  # type: ignore[import-untyped]
    except ImportError:
        log.warning(
            "asyncpg is not installed, so work waits for the sweep instead of being handed out at once. "
            "Install asyncpg on the API servers",
            extra={"action": "listen_unavailable"},
        )
        return
    wait = _RECONNECT_FIRST
    while True:
        ended = asyncio.Event()
        connection = None
        try:
            connection = await asyncpg.connect(_dsn(), timeout=10)
            connection.add_termination_listener(lambda _, ended=ended: ended.set())
            await connection.add_listener(CHANNEL, lambda _c, _p, _ch, topic: notify(topic))
            notify("*")
            wait = _RECONNECT_FIRST
            while not ended.is_set():
                try:
                    await asyncio.wait_for(ended.wait(), 30)
                except asyncio.TimeoutError:
                    await connection.execute("SELECT 1", timeout=10)  # a dead peer does not say so
        except (OSError, asyncio.TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning(
                "Cannot listen for notifications on PostgreSQL: %s; trying again in %.1f s",
                type(error).__name__,  # the text may hold the address and the user
                wait,
                extra={"action": "listen_lost"},
            )
        finally:
            if connection is not None and not connection.is_closed():
                connection.terminate()
        await asyncio.sleep(wait)
        wait = min(wait * 2, _RECONNECT_MOST)


def _dsn() -> str:
    parsed = make_url(database.url())
    query = {key: value for key, value in parsed.query.items() if key in _DSN_OPTIONS}
    return parsed.set(drivername="postgresql", query=query).render_as_string(hide_password=False)
