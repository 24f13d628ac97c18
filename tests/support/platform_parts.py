"""What tests of the platform make by hand: the time, organizations, and callers of its API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from sqlalchemy import event
from sqlalchemy.orm import Session

from support.fake_driver import FakeDriver
from support.http_client import Client
from support.platform_copies import Copy, Writes
from tradewind_platform.api.app import create_app
from tradewind_platform.api.context import Platform
from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.domain.sign_in_sessions import Method
from tradewind_platform.reconciler.reconciler import Reconciler
from tradewind_platform.security.passwords import Passwords
from tradewind_platform.services import api_tokens, clusters, local_accounts, people, sign_in_sessions
from tradewind_platform.services.change import Origin
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Organization, RoleBinding, User

QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
"""Hashes that take no time, for tests that are not about them."""
PASSWORD = "correct horse battery"
NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def new_organization(store: Store, name: str) -> UUID:
    """The id of a new organization."""
    id = new_id()
    with store.across_organizations() as db:
        db.add(Organization(id=id, organization_id=id, name=name, created_at=NOW))
    return id


_WRITES = ("BEGIN IMMEDIATE", "INSERT", "UPDATE", "DELETE")


def writes(statements: list[str]) -> list[str]:
    """Those that write, or that begin a transaction for it: on SQLite all other writers wait for that."""
    return [one for one in statements if one.startswith(_WRITES) or " FOR NO KEY UPDATE" in one]


@dataclass
class Time:
    """A clock that stands until a test moves it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class Api:
    """The platform's API without a socket, as its callers use it."""

    platform: Platform
    organization: UUID
    time: Time
    copies: bool = False
    """Whether it may be given what another installation came to by the same requests: not where what they do is watched or changed."""

    def __post_init__(self) -> None:
        self.app = create_app(self.platform)
        with self.platform.store.transaction(self.organization) as db:
            owner = people.create_owner(db, "ada", now=self.time.now)
            binding = Binding(Role.ORGANIZATION_OWNER, ORGANIZATION)
            made = api_tokens.made(
                db, name="ada", binding=binding, owner=owner.id, by="ada", now=self.time.now
            )
        self.owner_id = owner.id
        self.owner = self.caller(made.token)

    def caller(self, token: str | None) -> Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return Client(self.app, headers=headers, raise_server_exceptions=False)

    def browser(self) -> Client:
        """A browser on the platform's pages, with a jar of cookies of its own."""
        return Client(self.app, headers={"Origin": self.platform.origin}, raise_server_exceptions=False)

    def user(self, name: str, *bindings: Binding, password: str = "") -> UUID:
        """A new person with these roles, and with a password where one is given."""
        now = self.time.now
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
            if password:
                hash = self.platform.passwords.hash(password)
                local_accounts.set_password(db, row.id, hash, now=now)
        return row.id

    def break_glass(self, name: str) -> str:
        """The code of a link that signs the user in."""
        with self.platform.store.transaction(self.organization) as db:
            return local_accounts.new_break_glass_link(db, name, now=self.platform.clock())

    def session(self, user: UUID) -> UUID:
        """A session of the user, in a browser that no test has."""
        with self.platform.store.transaction(self.organization) as db:
            method = Method.PASSWORD
            begun = sign_in_sessions.begin(db, user, method=method, origin=Origin(), now=self.time.now)
        return begun[0].id

    def signed_in(self, name: str, *bindings: Binding) -> Client:
        """The browser of a new person with these roles, who has signed in."""
        self.user(name, *bindings, password=PASSWORD)
        browser = self.browser()
        answer = browser.post("/sign-in", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return browser

    def with_role(self, role: Role, **scope: str) -> Client:
        """A caller whose token has that role."""
        asked = {"name": f"t-{new_id().hex[-8:]}", "role": role.value, **scope}
        answer = self.owner.post("/v1/api-tokens", json=asked)
        assert answer.status_code == 201, answer.text
        return self.caller(answer.json()["token"])

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """What is sent to the database meanwhile."""
        found: list[str] = []
        engine = self.platform.store.engine
        self.copies = False

        def note(*given: Any) -> None:
            found.append(given[2])

        event.listen(engine, "before_cursor_execute", note)
        try:
            yield found
        finally:
            event.remove(engine, "before_cursor_execute", note)

    def events(self, **filters: str) -> list[dict[str, Any]]:
        """The audit trail, the newest first."""
        found: list[dict[str, Any]] = self.owner.get("/v1/audit", params={"limit": 1000, **filters}).json()[
            "items"
        ]
        return found


def ensure_cluster(db: Session, *, now: datetime) -> None:
    """The cluster `local`, of a fake driver."""
    clusters.ensure(
        db,
        "local",
        driver="fake",
        slug="c2345abc",
        agents_url="https://c2345abc.external.example.com",
        people_url="https://{slug}.c2345abc.example.com",
        now=now,
    )


@dataclass
class Reconciled(Api):
    """The API and a reconciler with a fake driver, which works when it is told to."""

    driver: FakeDriver = field(default_factory=FakeDriver)

    def __post_init__(self) -> None:
        readers = {"fake": self.driver}
        self.platform = replace(self.platform, wake=lambda: self.reconciler.wake(), log_readers=readers)
        super().__post_init__()
        with self.platform.store.transaction(self.organization) as db:
            ensure_cluster(db, now=self.time.now)
        self.reconciler = self.new_reconciler()
        self._writes = Writes(self.platform.store.engine)
        self._made = self._parts()

    def new_reconciler(self) -> Reconciler:
        """As of a process that has just started."""
        drivers = {"fake": self.driver}
        return Reconciler(self.platform.store, self.platform.ring, drivers, self.time)

    def create(self, name: str = "sales", **more: Any) -> dict[str, Any]:
        answer = self.owner.post("/v1/deployments", json={"name": name, **more})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def deployment(self, reference: str = "sales") -> dict[str, Any]:
        found: dict[str, Any] = self.owner.get(f"/v1/deployments/{reference}").json()
        return found

    def created(self, name: str = "sales", **more: Any) -> dict[str, Any]:
        """A Deployment that runs. The first one of an installation may be a copy of another installation's."""
        if more or not self._is_as_it_was_made():
            return self._created(name, **more)
        if name not in _copies():
            found = self._created(name)
            _copies()[name] = Copy.of(self, found)
            return found
        found = _copies()[name].give(self)
        self.reconciler.observer.observe_all()
        return found

    def _created(self, name: str, **more: Any) -> dict[str, Any]:
        self.create(name, **more)
        self.reconciler.carry_out_all()
        self.reconciler.observer.observe_all()
        return self.deployment(name)

    def _is_as_it_was_made(self) -> bool:
        return (
            self.copies
            and self.platform.store.engine.dialect.name == "sqlite"
            and self._writes.count == 0
            and self.time.now == NOW
            and self.driver == FakeDriver()
            and len(self.platform.ring.ids) == 1
            and self._parts() == self._made
        )

    def _parts(self) -> list[object]:
        """By identity: each part, and what each has."""
        parts = (
            self.platform,
            self.app.state.platform,
            self.driver,
            self.reconciler,
            self.reconciler.observer,
        )
        return [id(one) for part in parts for one in (part, *vars(part).values())]


@cache
def _copies() -> dict[str, Copy]:
    """By the name of the Deployment."""
    return {}


def as_context(api: Api, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """The command has this platform and the token of its owner, and neither another context nor a plane."""
    token = str(api.owner.headers["Authorization"]).removeprefix("Bearer ")
    monkeypatch.setenv("TRADEWIND_CONTEXTS", str(directory / "contexts.json"))
    monkeypatch.setenv("TRADEWIND_PLATFORM_URL", "http://platform.example.com")
    monkeypatch.setenv("TRADEWIND_API_TOKEN", token)
    monkeypatch.delenv("TRADEWIND_PLANE_URL", raising=False)
