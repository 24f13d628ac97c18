"""A gateway on a socket, in front of the real plane client and a plane that writes down what it is asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import httpx
from pydantic import SecretStr

from tradewind_agent.access.local_secrets import AttemptPrincipal, ComponentPrincipal, LocalSecrets
from tradewind_agent.gateway.app import Gateway
from tradewind_agent.gateway.ledger import Ledger
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.plane.credentials import AgentToken
from tradewind_agent.rules import OwnerRules, read_refusal
from tradewind_agent.settings import SealSettings
from tradewind_agent.state.key_ring import KeyRing
from tradewind_agent.state.outbox import Outbox
from tradewind_agent.state.sealing import SiteSealing
from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol import ids, versions
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.boundary import OwnRun, Rules
from tradewind_protocol.sessions import Cadence, OpenSession, Policy, SessionOpened
from tradewind_protocol.states import Component

SESSION = ids.new_secret(ids.SESSION_TOKEN_PREFIX)
TI = uuid4()


@dataclass
class LittlePlane:
    """An ASGI plane that opens sessions and writes down what else it is asked."""

    policy: Policy = Policy.OPEN
    seen: list[httpx.Request] = field(default_factory=list)
    let_go: asyncio.Event | None = (
        None  # while set here, answers are held, as a plane without news holds them
    )
    holding: asyncio.Event = field(default_factory=asyncio.Event)
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)
    answer: httpx.Response = field(default_factory=lambda: httpx.Response(200, json={"key": "k", "value": 1}))

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        headers = {versions.HEADER: "1.0"}
        if request.url.path.endswith("/v1/sessions"):
            opened = SessionOpened(
                session_id=uuid4(),
                session_token=SESSION,
                deployment="test",
                cadence=Cadence(largest_body=10_000),
                policy=self.policy,
            )
            return httpx.Response(200, headers=headers, content=opened.model_dump_json())
        self.seen.append(request)
        self.answer.headers.update(headers)
        if self.let_go is not None:
            self.holding.set()
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.abandoned.set()
                raise
        return self.answer


@dataclass
class Site:
    plane: LittlePlane
    gateway: Gateway
    secrets: LocalSecrets
    ledger: Ledger
    client: httpx.AsyncClient
    path: Path

    def attempt(self, kind: WorkKind = WorkKind.TASK, subject: UUID = TI) -> dict[str, str]:
        principal = AttemptPrincipal(uuid4(), 2, kind, str(subject), "etl.extract", OwnRun("etl", "r"))
        return {"Authorization": f"Bearer {self.secrets.issue(principal)}"}

    def host(self, component: Component) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secrets.issue(ComponentPrincipal(component, 'default'))}"}


class a_site:
    def __init__(
        self,
        tmp_path: Path,
        plane: LittlePlane,
        rules: Rules | None = None,
        *,
        owner: OwnerRules | None = None,
        ring: KeyRing | None = None,
        seal: SealSettings | None = None,
    ) -> None:
        self._tmp, self._plane, self._rules = tmp_path, plane, rules or Rules()
        self._owner = owner or OwnerRules()
        self._sealing = SiteSealing(SiteKey(b"0" * 32), lambda: ring, seal)

    async def __aenter__(self) -> Site:
        path = self._tmp / "gateway.sock"
        secrets = LocalSecrets()
        introduction = OpenSession(
            agent_id=uuid4(), instance=uuid4(), name="eu-1", components=(Component.WORKER,)
        )
        self._client = PlaneClient(
            url="http://plane.test/some/prefix",
            token=AgentToken(value=SecretStr(ids.new_secret(ids.AGENT_TOKEN_PREFIX))),
            introduction=lambda: introduction,
            transport=httpx.MockTransport(self._plane),
        )
        self._outbox = Outbox(self._tmp / "outbox.db", now=lambda: 0.0)
        self._outbox.__enter__()
        self._ledger = Ledger(self._tmp / "ledger", now=lambda: 1_800_000_000.0)
        self._ledger.__enter__()
        await self._client.ensure_session()
        self._gateway = Gateway(
            path,
            self._client,
            self._rules,
            self._ledger,
            self._outbox,
            secrets,
            sealing=self._sealing,
            now=lambda: 1_800_000_000.0,
            judge_read=lambda read, own: read_refusal(self._owner, read, own),
        )
        await self._gateway.__aenter__()
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(path), verify=False), base_url="http://gateway"
        )
        return Site(self._plane, self._gateway, secrets, self._ledger, self._http, path)

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()
        await self._gateway.__aexit__(*error)
        await self._client.__aexit__(None, None, None)
        self._ledger.__exit__(None, None, None)
        self._outbox.__exit__(None, None, None)
