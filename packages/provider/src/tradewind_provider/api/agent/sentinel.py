"""`POST /sentinel/report`."""

from __future__ import annotations

from fastapi import APIRouter, Request

from tradewind_protocol import sentinel as wire
from tradewind_provider.api import transactions
from tradewind_provider.api.auth import credentials
from tradewind_provider.api.auth.rate_limiter import CredentialKind
from tradewind_provider.api.plane import ThisPlane
from tradewind_provider.services import sentinels, token_authentication

router = APIRouter(tags=["sentinel"])


@router.post(wire.REPORT, summary="Report what a sentinel sees")
async def report(body: wire.SentinelReport, request: Request, plane: ThisPlane) -> wire.ReportTaken:
    """With a token of kind sentinel; no session is opened. The report replaces the one before it of this name and site."""
    credentials.check_protocol(request.headers.get(credentials.PROTOCOL_HEADER))
    presented = credentials.bearer(request.headers.get("authorization"))
    now = plane.clock()
    return await plane.rate_limiter.shown(
        CredentialKind.AGENT_TOKEN,
        presented,
        lambda: transactions.run(
            lambda db: sentinels.report(
                db,
                token_authentication.authenticate(
                    db, presented, now=now, kinds=token_authentication.SENTINELS
                ),
                body,
                now=now,
            )
        ),
    )
