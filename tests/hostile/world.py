"""The plane under attack: two sites with Dags, runs, values and agents, users of every role, and secrets that must not get out.

Requests go through Airflow's whole API server, with Tradewind's middlewares, as a client's would. The victim is site `eu`
and the plane itself; the attacker holds whatever an agent of site `us` holds.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import httpx
from airflow.api_fastapi import app as airflow_app
from airflow.configuration import conf
from fastapi import FastAPI

from support import airflow_database
from tradewind_protocol import paths
from tradewind_provider import settings as provider_settings
from tradewind_provider.airflow.database import create_session
from tradewind_provider.plugin import TradewindPlugin
from tradewind_provider.store.base import Base
from tradewind_provider.store.manager import TradewindDBManager  # noqa: F401  # fills the MetaData

from .contents import fill, open_sessions, sign_in, work
from .fingerprints import Commits, Fingerprints, airflow_table
from .sites import ATTACKER, ROLES, VICTIM, Site, headers

OPTIONS: Final = {
    ("core", "auth_manager"): "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
    ("core", "simple_auth_manager_users"): ",".join(f"{name}:{role}" for name, role in ROLES.items()),
    ("core", "simple_auth_manager_all_admins"): "False",
    ("api_auth", "jwt_secret"): "s" * 64,
    ("tradewind", "agent_hosts"): "*.agents.example.com",
    ("tradewind", "failures_per_minute"): "0",
    ("tradewind", "sweep_seconds"): "3600",
    ("tradewind", "poll_seconds"): "3600",
}  # fmt: skip


class World:
    """The plane, its two sites, and what tells whether an attempt got through."""

    def __init__(self, app: FastAPI, home: Path) -> None:
        self.app = app
        self.home = home
        self.victim = Site(VICTIM)
        self.attacker = Site(ATTACKER)
        self.canaries: dict[str, str] = {}
        self.users: dict[str, str] = {}
        self.other: dict[str, str] = {}  # credentials that are good for nothing
        self.log = _Said()
        self._before: dict[str, str] = {}
        self._commits = Commits()

    # ---- asking

    async def ask(
        self,
        method: str,
        path: str,
        *,
        given: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        json_body: Any = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        host: str = "plane",
        params: Any = None,
    ) -> httpx.Response:
        """One request, as a client on the network would send it. `path` from the root."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            if json_body is not None:
                content = json.dumps(json_body, default=str).encode()
            request = client.build_request(
                method, path, headers=list(dict(given).items()), content=content, params=params
            )
            return await client.send(request)

    async def raw(
        self,
        method: str,
        path: str,
        given: Iterable[tuple[str, str]],
        *,
        raw_path: bytes | None = None,
        body: bytes = b"",
        query: bytes = b"",
    ) -> httpx.Response:
        """One request as a web server would hand it on, with just this path and these headers."""
        answer: dict[str, Any] = {"status": 0, "headers": []}
        parts: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.update(message)
            else:
                parts.append(message.get("body", b""))

        await self.app(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": method,
                "scheme": "http",
                "path": path,
                "raw_path": raw_path or path.encode("utf-8", "surrogatepass"),
                "root_path": "",
                "query_string": query,
                "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given],
                "client": ("127.0.0.1", 1),
                "server": ("plane", 80),
                "state": {},
            },
            receive,
            send,
        )
        shown = [
            one for one in answer["headers"] if one[0].lower() not in (b"content-encoding", b"content-length")
        ]
        return httpx.Response(answer["status"], headers=shown, content=b"".join(parts))

    async def store_values(self) -> None:
        """The victim's task keeps something beside its asset."""
        of = self.victim
        answer = await self.ask(
            "PUT",
            f"{paths.PREFIX}{paths.EXECUTION}/store/asset/by-name/value",
            given=headers(of.session, of.attempts["running"]),
            params={"name": of.asset, "key": "cursor"},
            json_body={"value": f"s3://bucket/{self.canaries['note']}"},
        )
        assert answer.status_code < 300, answer.text
        self.changed()

    async def attackers_session_lives(self) -> bool:
        """Without it, attempts would be held off by its end and by nothing else."""
        given = headers(self.attacker.session, self.attacker.attempts["running"])
        own = f"{paths.PREFIX}{paths.EXECUTION}/dag-runs/{self.attacker.dag}/r1/state"
        return (await self.ask("GET", own, given=given)).status_code == 200

    @cached_property
    def _rows(self) -> Fingerprints:
        return Fingerprints(self.victim, self.attacker)

    def close(self) -> None:
        self._commits.close()

    # ---- what must not happen

    def changed(self) -> list[str]:
        """Which of the victim's rows and the plane's own differ from what they were at the last look.

        The rows are read only if something was committed since: most attempts are refused before they write.
        """
        if not self._commits.since_last_look():
            return []
        now = self._rows.take()
        found = sorted(
            name for name in now.keys() | self._before.keys() if now.get(name) != self._before.get(name)
        )
        self._before = now
        return found

    def leaked(self, text: str) -> list[str]:
        """Names of the secrets that are in a text."""
        return [name for name, value in self.canaries.items() if value in text]

    def credentials(self) -> list[str]:
        """Every credential that is good for something, or was sent in place of one."""
        sites = [
            one for site in (self.victim, self.attacker) for one in (site.token, site.session, site.agent_key)
        ]
        return [one for one in (*sites, *self.other.values()) if len(one) > 20]


class _Said(logging.Handler):
    """What was logged since the last look."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" {record.exc_info[1]!r}"
        self.lines.append(text)

    def take(self) -> str:
        found, self.lines = "\n".join(self.lines), []
        return found


@contextmanager
def configured(options: Mapping[tuple[str, str], str]) -> Iterator[None]:
    """Airflow's configuration with these options; as it was, afterwards."""
    before = {name: conf.get(*name, fallback=None) for name in options}
    for (section, key), value in options.items():
        conf.set(section, key, value)
    provider_settings.current.cache_clear()
    try:
        yield
    finally:
        for (section, key), old in before.items():
            conf.remove_option(section, key) if old is None else conf.set(section, key, old)
        provider_settings.current.cache_clear()


@asynccontextmanager
async def plane_of_two_sites(home: Path) -> AsyncIterator[World]:
    """Make the database, the API server and everything in it; run the server."""
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({name: f"pw-{name}" for name in ROLES}))
    options = {**OPTIONS, ("core", "simple_auth_manager_passwords_file"): str(passwords)}
    with configured(options):
        _database()
        app = _server()
        world = World(app, home)
        async with app.router.lifespan_context(app):
            fill(world)
            await sign_in(world)
            await open_sessions(world)
            work(world)
            # the routes of the Execution API take seconds to make, longer than a token for them is good on a busy machine
            await world.ask("GET", "/execution/health")
            await world.store_values()
            logging.getLogger().addHandler(world.log)
            try:
                await world.ask(
                    "GET",
                    paths.PREFIX + paths.EXECUTION + "/health",
                    given=headers(world.attacker.session, "worker"),
                )
                world.changed()
                world.log.take()
                yield world
            finally:
                logging.getLogger().removeHandler(world.log)
                world.close()


def _server() -> FastAPI:
    """As `airflow api-server` makes it, with a plugin of its own and no other's."""
    from airflow import plugins_manager

    plugin = TradewindPlugin()
    before = plugins_manager.get_fastapi_plugins
    made = ([*plugin.fastapi_apps], [*plugin.fastapi_root_middlewares])
    plugins_manager.get_fastapi_plugins = lambda: made  # type: ignore[assignment]
    try:
        return airflow_app.create_app()
    finally:
        plugins_manager.get_fastapi_plugins = before


def _database() -> None:
    airflow_database.migrated()
    with create_session() as db:
        for table in reversed(Base.metadata.sorted_tables):
            db.execute(table.delete())
        for name in _EMPTIED:
            db.execute(airflow_table(name).delete())


_EMPTIED: Final = (
    "xcom", "task_instance", "dag_run", "serialized_dag", "dag_code", "dag_version", "trigger", "asset_active",
    "dag_schedule_asset_reference", "dag_schedule_asset_alias_reference", "asset_alias_asset_event", "asset_alias_asset", "asset_event",
    "asset_alias", "asset",
    "dag", "dag_bundle", "variable", "connection",
)  # fmt: skip


async def within(seconds: float, coroutine: Any) -> Any:
    """The result; raises TimeoutError."""
    return await asyncio.wait_for(coroutine, seconds)
