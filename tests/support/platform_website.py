"""A platform with its pages at a real address. Its driver is a fake, its reconciler works by itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn

from support.fake_driver import FakeDriver
from support.moved_clock import MovedClock
from support.patience import eventually
from support.platform_parts import PASSWORD, ensure_cluster
from tradewind_platform.api.app import create_app
from tradewind_platform.api.context import Platform
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.roles import Binding
from tradewind_platform.reconciler.reconciler import Reconciler
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import local_accounts, people
from tradewind_platform.services.people import first_organization
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_platform.store.sessions import Store, open_engine
from tradewind_platform.store.tables import RoleBinding, User

OFFERED: Final = Offered(tuple(Release(version) for version in ("3.3.2", "3.2.1", "3.2.0")))


@dataclass
class Website:
    """The pages at `url`. `ada` owns the organization, and signs in with PASSWORD."""

    url: str
    platform: Platform
    organization: Any
    driver: FakeDriver
    owner: Any
    clock: MovedClock

    @classmethod
    @contextmanager
    def running(
        cls, home: Path, *, without_people: bool = False, certificate: tuple[Path, Path] | None = None
    ) -> Iterator[Website]:
        """`certificate`: files with one for localhost and with its key; the pages are served over TLS then."""
        engine = open_engine(f"sqlite:///{home}/platform.db")
        migrate(engine)
        store, ring, driver = Store(engine), KeyRing.create(home / "keys"), FakeDriver()
        clock = MovedClock()
        reconciler = Reconciler(store, ring, {"fake": driver}, clock)
        organization = first_organization(store, "Acme", now=clock())
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        url = f"http://127.0.0.1:{port}" if certificate is None else f"https://localhost:{port}"
        archives = PlaneArchives(home / "archives")
        platform = Platform(
            store,
            ring,
            clock,
            reconciler.wake,
            log_readers={"fake": driver},
            origin=url,
            offered=OFFERED,
            archives=archives,
        )
        with store.transaction(organization) as db:
            ensure_cluster(db, now=clock())
            owner = None if without_people else people.create_owner(db, "ada", now=clock())
            if owner is not None:
                local_accounts.set_password(db, owner.id, platform.passwords.hash(PASSWORD), now=clock())
        files = {} if certificate is None else {"ssl_certfile": certificate[0], "ssl_keyfile": certificate[1]}
        config = uvicorn.Config(create_app(platform), log_config=None, access_log=False, **files)
        server = uvicorn.Server(config)
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="website")
        working = threading.Thread(target=reconciler.run, name="reconciler")
        serving.start()
        working.start()
        try:
            eventually(lambda: server.started, timeout=10, what="the website does not start")
            yield cls(url, platform, organization, driver, owner, clock)
        finally:
            reconciler.stop()
            server.should_exit = True
            serving.join()
            working.join()
            engine.dispose()

    def person(self, name: str, *bindings: Binding) -> None:
        """Somebody with these roles, who signs in with PASSWORD."""
        now = self.clock()
        with self.platform.store.transaction(self.organization) as db:
            row = User(name=name, created_at=now)
            db.add(row)
            db.flush()
            for one in bindings:
                scope = {"workspace_id": one.scope.workspace, "deployment_id": one.scope.deployment}
                db.add(
                    RoleBinding(
                        user_id=row.id, role=one.role.value, created_at=now, created_by="ada", **scope
                    )
                )
            local_accounts.set_password(db, row.id, self.platform.passwords.hash(PASSWORD), now=now)
