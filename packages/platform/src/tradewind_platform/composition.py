"""Makes a platform of its settings, and runs it: the API, the reconciler, and the driver of the local cluster."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tradewind_platform.api.app import create_app
from tradewind_platform.api.context import Platform
from tradewind_platform.api.server import Server
from tradewind_platform.clock import utc_now
from tradewind_platform.domain import catalogue
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.ids import new_cluster_slug
from tradewind_platform.domain.origins import origin_of
from tradewind_platform.domain.request_rates import RequestRates
from tradewind_platform.local.driver import LocalDriver
from tradewind_platform.local.home_id import home_id, place_of
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.reconciler.reconciler import Reconciler
from tradewind_platform.security import at_rest
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import clusters, deployment_credentials, local_accounts, people, role_names
from tradewind_platform.services.session_refreshes import Refresher
from tradewind_platform.store.leadership import leadership_of
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_platform.store.sessions import Store, open_engine

log = logging.getLogger(__name__)

LOCAL: Final = "local"
"""The name of the cluster that is this machine, and of its driver."""


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
    def origin(self) -> str:
        """The platform's own address for browsers, which sessions, sign-in and its links hold to."""
        host, _, port = self.listen.rpartition(":")
        scheme = "http" if self.certificate is None else "https"
        return origin_of(self.url or f"{scheme}://{host or socket.getfqdn()}:{port}")

    @property
    def key_file(self) -> Path:
        return self.home / "keys"


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


def serve(
    settings: PlatformSettings,
    local: LocalSettings | None,
    *,
    replaces_home: bool = False,
    say: Callable[[str], None],
) -> None:
    """Run until SIGTERM or SIGINT. Deployments and their gateway go on afterwards.

    `local` None: this machine is no cluster. Raises AlreadyRuns, KeyProblem; Refused when the database's Deployments are of
    another home, which this one does not replace.
    """
    with alone(settings), opened(settings) as (store, ring):
        driver = None if local is None else LocalDriver(local)
        drivers = {} if driver is None else {LOCAL: driver}
        versions = offered(settings, local)
        reconciler = Reconciler(
            store,
            ring,
            drivers,
            offered=versions,
            leadership=leadership_of(store.engine),
        )
        organization = people.first_organization(store, settings.organization, now=utc_now())
        with store.transaction(organization) as db:
            if local is not None:
                clusters.ensure(
                    db,
                    LOCAL,
                    driver=LOCAL,
                    slug=new_cluster_slug(),
                    agents_url=local.agents_url,
                    people_url=local.people_url,
                    now=utc_now(),
                    home=clusters.Home(home_id(local.home), place_of(local.home)),
                    replaces_home=replaces_home,
                )
            link = local_accounts.new_first_link(db, now=utc_now())
        role_names.forget_retired(store, now=utc_now())
        deployment_credentials.add_missing(store, ring, now=utc_now())
        platform = Platform(
            store,
            ring,
            utc_now,
            reconciler.wake,
            None if driver is None else driver.address,
            log_readers=drivers,
            origin=settings.origin,
            offered=versions,
            archives=None if local is None else PlaneArchives(local.archives),
            request_rates=settings.request_rates,
        )
        app = create_app(platform)
        refresher = Refresher(store, ring, platform.providers, origin=settings.origin, clock=utc_now)
        scheme = "https" if settings.certificate is not None else "http"
        say(f"the platform's API: {scheme}://{settings.listen}/v1")
        if local is not None:
            say(
                f"agents: {local.agents_url}/<Deployment>; people: {local.people_url.replace('{slug}', '<Deployment>')}"
            )
        if link is not None:
            say("no administrator yet; this link makes the first one, once, within 24 hours:")
            say(f"{settings.origin}/welcome?code={link}")
        host, _, port = settings.listen.rpartition(":")
        server = Server(
            app,
            platform.access_watch,
            host=host.strip("[]"),
            port=int(port),
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
            timeout_graceful_shutdown=10,
        )
        working = threading.Thread(target=reconciler.run, name="reconciler")
        refreshing = threading.Thread(target=refresher.run, name="session refreshes")
        working.start()
        refreshing.start()
        try:
            server.run()
        finally:
            reconciler.stop()
            refresher.stop()
            working.join()
            refreshing.join()


def offered(settings: PlatformSettings, local: LocalSettings | None) -> Offered:
    """The catalogue, and which of its versions this machine has environments of. Raises ValueError for what is no catalogue."""
    environments = {} if local is None else local.environments
    file = settings.releases or Path(__file__).parent / "releases.json"
    releases = catalogue.read(file.read_text(encoding="utf-8"))
    known = {one.version for one in releases}
    # What an administrator has installed on this machine is offered, also when the catalogue is older.
    mirrored = tuple(Release(version) for version in environments if version not in known)
    return Offered((*mirrored, *releases), {LOCAL: frozenset(environments)})


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
