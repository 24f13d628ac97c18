"""What the platform's tests share: a database of their own, on SQLite, and on PostgreSQL where one is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from support import identity_provider, postgresql
from support.identity_provider import FakeIdentityProvider, Person
from support.lock_watch import watching
from support.platform_database import new_engine
from support.platform_parts import QUICK, Api, Reconciled, Time, as_context, new_organization
from support.sign_in_with_provider import Sso
from tradewind_platform.api.context import Platform
from tradewind_platform.security.identity_providers import IdentityProviders
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services.people import first_organization
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_platform.store.sessions import Store


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.PostgreSQL | None]:
    if os.environ.get("TRADEWIND_TEST_DATABASE") != "postgresql":
        yield None
        return
    with postgresql.running() as server:
        yield server


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.PostgreSQL]:
    """A PostgreSQL, also where the other tests have SQLite: for what only a database with many writers shows. A test leaves no
    role there that another one makes, and takes databases of its own."""
    if not postgresql.available():
        pytest.skip("no PostgreSQL on this machine: `make postgresql` installs it")
    with postgresql.running() as made:
        yield made


@pytest.fixture(autouse=True)
def locks_are_in_order() -> Iterator[None]:
    """In every transaction of a test, on any database: else two of them might wait for each other on PostgreSQL."""
    with watching() as found:
        yield
    assert found == [], "store/lock_order.py has another order"


@pytest.fixture
def database_url(tmp_path: Path, postgresql_server: postgresql.PostgreSQL | None) -> str:
    if postgresql_server is not None:
        return postgresql_server.new_database()
    return f"sqlite:///{tmp_path}/platform.db"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    engine = new_engine(database_url)
    yield Store(engine)
    engine.dispose()


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "keys")


@pytest.fixture
def organization(store: Store) -> UUID:
    return new_organization(store, "acme")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def api(store: Store, ring: KeyRing, time: Time, tmp_path: Path) -> Api:
    """The API of a new installation; `owner` is a caller with every permission."""
    organization = first_organization(store, "acme", now=time.now)
    return Api(
        Platform(store, ring, time, passwords=QUICK, archives=PlaneArchives(tmp_path / "archives")),
        organization,
        time,
    )


@pytest.fixture
def reconciled(
    store: Store, ring: KeyRing, time: Time, tmp_path: Path, request: pytest.FixtureRequest
) -> Reconciled:
    """An installation with a cluster whose driver is a fake."""
    organization = first_organization(store, "acme", now=time.now)
    return Reconciled(
        Platform(store, ring, time, passwords=QUICK, archives=PlaneArchives(tmp_path / "archives")),
        organization,
        time,
        copies=not {"monkeypatch", "caplog"} & {*request.fixturenames},
    )


@pytest.fixture
def run(reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """The command `tradewind`, with the platform of `reconciled` and its owner's token."""
    from tradewind.cli import main
    from tradewind.commands.session import Session

    as_context(reconciled, monkeypatch, tmp_path)

    def runs(*arguments: str, **more: Any) -> Result:
        session = Session(transport=reconciled.owner._transport)
        return CliRunner().invoke(main, arguments, obj=session, **more)

    return runs


@pytest.fixture(scope="module")
def shared_provider() -> Iterator[FakeIdentityProvider]:
    with identity_provider.running(Time()) as provider:
        yield provider


@pytest.fixture
def provider(shared_provider: FakeIdentityProvider, time: Time) -> FakeIdentityProvider:
    """As it was made: what a test changes is gone for the next one."""
    for name, one in FakeIdentityProvider(time, shared_provider.url).__dict__.items():
        if name not in ("app", "keys"):
            setattr(shared_provider, name, one)
    del shared_provider.keys[1:]
    shared_provider.person = Person("subject-of-grace", "grace", groups=["engineers"])
    return shared_provider


@pytest.fixture
def sso(store: Store, ring: KeyRing, time: Time, provider: FakeIdentityProvider) -> Sso:
    organization = first_organization(store, "acme", now=time.now)
    parts = Platform(store, ring, time, passwords=QUICK, providers=IdentityProviders(time))
    return Sso(Api(parts, organization, time), provider)
