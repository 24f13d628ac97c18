"""The home of a platform: its settings, its lock, and its database and keys."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tradewind_platform.clock import utc_now
from tradewind_platform.domain.origins import origin_of
from tradewind_platform.domain.request_rates import RequestRates
from tradewind_platform.security import at_rest
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.sessions import Store, open_engine


class AlreadyRuns(Exception):
    """Another process runs the platform of this home."""


@dataclass(frozen=True)
class PlatformSettings:
    """A platform on one machine."""

    home: Path
    listen: str = "127.0.0.1:8700"
    organization: str = "Tradewind"
    database_url: str | None = field(default=None, repr=False)  # None: a SQLite file in `home`
    certificate: Path | None = None  # of the platform's own API
    key: Path | None = None
    releases: Path | None = None  # a catalogue of releases; None: the one that is shipped
    url: str | None = None  # where browsers reach it; None: where it listens
    request_rates: RequestRates = RequestRates()  # of an API token

    @property
    def scheme(self) -> str:
        return "http" if self.certificate is None else "https"

    @property
    def origin(self) -> str:
        """The platform's own address for browsers, which sessions, sign-in and its links hold to."""
        host, _, port = self.listen.rpartition(":")
        return origin_of(self.url or f"{self.scheme}://{host or socket.getfqdn()}:{port}")

    @property
    def key_file(self) -> Path:
        return self.home / "keys"


@contextmanager
def alone(settings: PlatformSettings) -> Iterator[None]:
    """No other process runs the platform of this home meanwhile. Raises AlreadyRuns."""
    settings.home.mkdir(mode=0o711, parents=True, exist_ok=True)
    with open(settings.home / "lock", "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRuns(f"the platform of {settings.home} runs already") from None
        yield


@contextmanager
def opened(settings: PlatformSettings) -> Iterator[tuple[Store, KeyRing]]:
    """Database and keys, made at the first start. Raises KeyProblem when a key is missing or wrong."""
    settings.home.mkdir(mode=0o711, parents=True, exist_ok=True)
    url = settings.database_url or f"sqlite:///{settings.home}/platform.db"
    if settings.database_url is None:
        os.close(os.open(settings.home / "platform.db", os.O_CREAT | os.O_RDWR, 0o600))
    engine = open_engine(url)
    try:
        migrate(engine)
        store = Store(engine)
        try:
            ring = KeyRing.create(settings.key_file)
        except FileExistsError:
            ring = KeyRing(settings.key_file)
        at_rest.check_keys(store, ring, now=utc_now())
        yield store, ring
    finally:
        engine.dispose()
