"""All checks, in the order in which a person looks for a cause."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from tradewind_platform.doctor import database, deployments, installer, network
from tradewind_platform.home import AlreadyRuns, PlatformSettings, alone
from tradewind_platform.services import sso_settings
from tradewind_platform.store.leadership import LOCK
from tradewind_platform.store.sessions import Store, open_engine
from tradewind_platform.store.sso_tables import SsoConnection
from tradewind_protocol.checks import Result, Verdict, failed, ok, skipped, warning

_LITTLE: Final = 2_000_000_000
_START: Final = "tradewind platform run"


@dataclass(frozen=True)
class Examination:
    """What is examined."""

    settings: PlatformSettings
    now: datetime
    url: str
    ca_file: Path | None = None

    def results(self) -> Iterator[Result]:
        """What each check found; those that need the database only when it can be used."""
        yield self._disk()
        engine = open_engine(self.settings.database_url or f"sqlite:///{self.settings.home}/platform.db")
        try:
            yield (found := database.database(engine))
            yield self._leader(engine, usable=found.verdict is Verdict.OK)
            yield from self._own_address()
            if found.verdict is not Verdict.OK:
                yield skipped("clusters and Deployments", "the database cannot be used")
                return
            store = Store(engine)
            yield from database.keys(store, self.settings.key_file)
            ca_file = None if self.ca_file is None else str(self.ca_file)
            with store.reading_all() as db:
                yield installer.installer(db)
                yield from self._identity_provider(db)
                yield from deployments.clusters_of(db, self.now, ca_file=ca_file)
                yield from deployments.deployments_of(db, self.now, ca_file=ca_file)
        finally:
            engine.dispose()

    def _disk(self) -> Result:
        free = shutil.disk_usage(self.settings.home).free
        evidence = f"{free / 1e9:.1f} GB are free in {self.settings.home}"
        if free < _LITTLE:
            return warning(
                "disk", evidence, "Make room: backups, logs and databases of Deployments are there."
            )
        return ok("disk", evidence)

    def _leader(self, engine: Engine, *, usable: bool) -> Result:
        """A process carries out operations."""
        if engine.dialect.name != "postgresql":
            try:
                with alone(self.settings):
                    return failed("leader", f"no platform runs in {self.settings.home}", _START)
            except AlreadyRuns:
                return ok("leader", f"a platform runs in {self.settings.home}")
        if not usable:
            return skipped("leader", "the database cannot be used")
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = :lock AND granted"
        with engine.connect() as connection:
            if connection.scalar(text(query), {"lock": LOCK}):
                return ok("leader", "a process has the leader's lock")
        return failed("leader", "no process has the leader's lock: operations wait", _START)

    def _own_address(self) -> Iterator[Result]:
        ca_file = None if self.ca_file is None else str(self.ca_file)
        asked = network.ask(f"{self.url}/healthz", ca_file=ca_file)
        yield network.answers("platform", asked, status=200, remedy=_START)
        for found in (network.clock(asked, self.now), network.certificate(self.url, self.now)):
            if found is not None:
                yield found

    def _identity_provider(self, db: Session) -> Iterator[Result]:
        rows = list(db.scalars(select(SsoConnection).where(SsoConnection.state == sso_settings.ACTIVE)))
        if not rows:
            yield skipped("identity provider", "none is in use")
        for row in rows:
            url = f"{row.issuer.rstrip('/')}/.well-known/openid-configuration"
            remedy = "People sign in with `tradewind platform admin sign-in-link NAME` meanwhile."
            asked = network.ask(url, ca_file=None)
            says = "authorization_endpoint"
            yield network.answers("identity provider", asked, status=200, says=says, remedy=remedy)
            if (found := network.clock(asked, self.now)) is not None:
                yield found
