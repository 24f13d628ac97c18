"""Makes a platform of its settings, and runs it: the API, the reconciler, and the driver of the local cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tradewind_platform.api.app import create_app
from tradewind_platform.api.context import Platform
from tradewind_platform.api.server import Server
from tradewind_platform.clock import utc_now
from tradewind_platform.domain import catalogue
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.ids import new_cluster_slug
from tradewind_platform.home import PlatformSettings, alone, opened
from tradewind_platform.local.driver import LocalDriver
from tradewind_platform.local.home_id import home_id, place_of
from tradewind_platform.local.settings import LOCAL, LocalSettings
from tradewind_platform.reconciler.reconciler import Reconciler
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import clusters, deployment_credentials, local_accounts, people, role_names
from tradewind_platform.services.session_refreshes import Refresher
from tradewind_platform.store.leadership import leadership_of
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_platform.store.sessions import Store


@dataclass(frozen=True)
class PlatformProcess:
    """The parts that run: each has a thread, the server that of `run`."""

    server: Server
    reconciler: Reconciler
    refresher: Refresher

    def run(self) -> None:
        """Run until SIGTERM or SIGINT ends the server. Returns once the other threads have ended."""
        threads = [
            threading.Thread(target=self.reconciler.run, name="reconciler"),
            threading.Thread(target=self.refresher.run, name="session refreshes"),
        ]
        for thread in threads:
            thread.start()
        try:
            self.server.run()
        finally:
            self.reconciler.stop()
            self.refresher.stop()
            for thread in threads:
                thread.join()


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
        process = compose(settings, local, store, ring)
        first_link = prepare(settings, local, store, ring, replaces_home=replaces_home)
        say(f"the platform's API: {settings.scheme}://{settings.listen}/v1")
        if local is not None:
            people_url = local.people_url.replace("{slug}", "<Deployment>")
            say(f"agents: {local.agents_url}/<Deployment>; people: {people_url}")
        if first_link is not None:
            say("no administrator yet; this link makes the first one, once, within 24 hours:")
            say(f"{settings.origin}/welcome?code={first_link}")
        process.run()


def compose(
    settings: PlatformSettings, local: LocalSettings | None, store: Store, ring: KeyRing
) -> PlatformProcess:
    """Make the parts of the process, and start none. Raises ValueError for what is no catalogue of releases."""
    driver = None if local is None else LocalDriver(local)
    drivers = {} if driver is None else {LOCAL: driver}
    versions = offered(settings, local)
    reconciler = Reconciler(store, ring, drivers, offered=versions, leadership=leadership_of(store.engine))
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
    host, _, port = settings.listen.rpartition(":")
    server = Server(
        create_app(platform),
        platform.access_watch,
        host=host.strip("[]"),
        port=int(port),
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
        timeout_graceful_shutdown=10,
    )
    refresher = Refresher(store, ring, platform.providers, origin=settings.origin, clock=utc_now)
    return PlatformProcess(server, reconciler, refresher)


def prepare(
    settings: PlatformSettings,
    local: LocalSettings | None,
    store: Store,
    ring: KeyRing,
    *,
    replaces_home: bool,
) -> str | None:
    """Write what the database must have before the platform runs: the organization, the cluster that is this machine, and what
    earlier versions did not write. Idempotent.

    Returns the code of the link that makes the first administrator; None once there is one. Raises Refused when the database's
    Deployments are of another home.
    """
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
    return link


def offered(settings: PlatformSettings, local: LocalSettings | None) -> Offered:
    """The catalogue, and which of its versions this machine has environments of. Raises ValueError for what is no catalogue."""
    environments = {} if local is None else local.environments
    file = settings.releases or Path(__file__).parent / "releases.json"
    releases = catalogue.read(file.read_text(encoding="utf-8"))
    known = {one.version for one in releases}
    # What an administrator has installed on this machine is offered, also when the catalogue is older.
    mirrored = tuple(Release(version) for version in environments if version not in known)
    return Offered((*mirrored, *releases), {LOCAL: frozenset(environments)})
