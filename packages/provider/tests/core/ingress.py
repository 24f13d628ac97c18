"""Requests past the check of addresses, and what the lists say."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import httpx
from fastapi import FastAPI

from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.auth.refusal_events import RefusalEvents
from tradewind_provider.api.ingress.addresses import AddressCheck
from tradewind_provider.domain.addresses import AddressGate, networks
from tradewind_provider.services import allow_list, client_address
from tradewind_provider.store.tables import AgentSession

from .scenes import NOON

GATE = AddressGate(networks("203.0.113.0/24, 2001:db8::/32"), networks("10.0.0.0/8"))


async def asked(
    path: str,
    *,
    peer: str,
    root: str = "",
    gate: AddressGate = GATE,
    headers: Sequence[tuple[str, str]] = (),
    port: int = 1,
) -> httpx.Response:
    inner = FastAPI()

    @inner.get("/{rest:path}")
    def anything(rest: str) -> str:
        return f"{client_address.origin()}"

    async def now() -> AddressGate:
        return gate

    transport = httpx.ASGITransport(
        AddressCheck(inner, gate=now, refusal_events=RefusalEvents(), proxies=lambda: gate),
        client=(peer, port),
        root_path=root,
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://plane") as client:
        return await client.get(path, headers=list(headers))


def session_row(name: str, address: str | None, **more: object) -> None:
    with create_session() as db:
        db.add(
            AgentSession(
                id=uuid4(),
                agent_id=uuid4(),
                instance=uuid4(),
                name=name,
                token_id=uuid4(),
                components=[],
                environments=[],
                bundles=[],
                policy="strict",
                host={},
                token_hash=uuid4().hex,
                token_expires_at=NOON,
                opened_at=NOON,
                address=address,
                **more,
            )
        )


def replaced(*texts: str, address: str = "203.0.113.1", **more: object) -> allow_list.AllowList:
    with create_session() as db:
        return allow_list.replace(
            db,
            allow_list.AllowListChange([allow_list.parsed(one) for one in texts], **more),  # type: ignore[arg-type]
            actor="ada",
            address=address,
            initial=networks("192.0.2.0/24"),
            now=NOON,
        )
