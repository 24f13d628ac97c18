"""Opening a session and saying goodbye."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from tradewind_protocol.sessions import OpenSession, Policy, SessionOpened
from tradewind_provider.airflow import configuration
from tradewind_provider.api import transactions
from tradewind_provider.api.auth import credentials
from tradewind_provider.api.auth.rate_limiter import CredentialKind
from tradewind_provider.api.plane import CurrentAgent, ThisPlane
from tradewind_provider.services import sessions, token_authentication
from tradewind_provider.services.credential_hashes import hashed

router = APIRouter()


@router.post("/sessions", summary="Open a session with an agent token")
async def open_session(ask: OpenSession, request: Request, plane: ThisPlane) -> SessionOpened:
    """See `tradewind_protocol.sessions.OpenSession`."""
    credentials.check_protocol(request.headers.get(credentials.PROTOCOL_HEADER))
    presented = credentials.bearer(request.headers.get("authorization"))
    now = plane.clock()

    def work(db: Session) -> sessions.OpenedSession:
        token = token_authentication.authenticate(db, presented, now=now)
        return sessions.open_session(
            db,
            ask,
            token,
            now=now,
            lasts=plane.settings.session,
            policies=plane.settings.policies,
            limits=plane.settings.session_limits,
            bought_with=hashed(presented),
        )

    opened = await plane.rate_limiter.shown(
        CredentialKind.AGENT_TOKEN, presented, lambda: transactions.run(work)
    )
    plane.sessions.forget()  # a fenced session is refused by this process at once
    return SessionOpened(
        session_id=opened.agent.session_id,
        session_token=opened.session_token,
        deployment=plane.settings.deployment,
        cadence=plane.settings.cadence,
        plane_version=version_of("tradewind-provider"),
        airflow_version=version_of("apache-airflow-core"),
        base_url=configuration.base_url(),
        policy=Policy(opened.agent.policy),
        site=opened.agent.site,
    )


@router.delete("/sessions", status_code=204, summary="Close the session")
async def goodbye(agent: CurrentAgent, plane: ThisPlane) -> Response:
    """End the session: what was offered goes elsewhere, what still runs is reported lost at once."""
    now = plane.clock()
    await transactions.run(lambda db: sessions.goodbye(db, agent, now=now))
    plane.sessions.forget()
    return Response(status_code=204)


@lru_cache
def version_of(distribution: str) -> str:
    """The installed version of a distribution; empty in a source tree that was never installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
