"""The parts of one API server, and how its routes and middlewares get them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from tradewind_protocol import versions
from tradewind_provider import notifications
from tradewind_provider.airflow.execution_api import ExecutionApi, ExecutionTokens
from tradewind_provider.api.auth import credentials
from tradewind_provider.api.auth.attempt_authorizer import AttemptAuthorizer
from tradewind_provider.api.auth.dag_access import DagAccessCheck
from tradewind_provider.api.auth.rate_limiter import AuthenticationRateLimiter
from tradewind_provider.api.auth.refusal_events import RefusalEvents
from tradewind_provider.api.dispatch.dispatcher import Dispatcher
from tradewind_provider.api.ingress.address_gate import LiveAddressGate
from tradewind_provider.api.ingress.refused_tries import RefusedTries
from tradewind_provider.clock import Clock
from tradewind_provider.services.agents import Agent
from tradewind_provider.services.log_relay import LogRelay
from tradewind_provider.settings import Settings
from tradewind_provider.shortcuts.switch import ShortcutSwitch


@dataclass
class Plane:
    """Made once per API server, by `tradewind_provider.composition.compose`."""

    settings: Settings
    clock: Clock
    hub: notifications.Hub
    shortcuts: ShortcutSwitch
    relay: LogRelay
    gate: LiveAddressGate
    refusal_events: RefusalEvents
    refused_tries: RefusedTries
    rate_limiter: AuthenticationRateLimiter
    sessions: credentials.AuthenticatedSessions
    authorizer: AttemptAuthorizer
    dag_access: DagAccessCheck
    execution: ExecutionApi
    execution_tokens: ExecutionTokens
    dispatcher: Dispatcher | None = None  # while the application runs


def this_plane(request: Request) -> Plane:
    """FastAPI dependency."""
    plane: Plane = request.app.state.plane
    return plane


ThisPlane = Annotated[Plane, Depends(this_plane)]


async def current_agent(request: Request, plane: ThisPlane) -> Agent:
    """FastAPI dependency: the agent that asks. Raises Refused as `session_authentication.authenticate` does, and VERSION_SKEW."""
    credentials.check_protocol(request.headers.get(versions.HEADER))
    return await plane.sessions.agent(credentials.bearer(request.headers.get("authorization")), plane.clock())


CurrentAgent = Annotated[Agent, Depends(current_agent)]
