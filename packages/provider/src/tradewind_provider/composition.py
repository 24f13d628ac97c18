"""The composition root of an API server: every part that holds state is made here, once, and handed down."""

from __future__ import annotations

import time
from collections.abc import Callable

from tradewind_provider import notifications
from tradewind_provider import settings as provider_settings
from tradewind_provider.airflow.execution_api import ExecutionApi, ExecutionTokens
from tradewind_provider.api.auth.attempt_authorizer import AttemptAuthorizer
from tradewind_provider.api.auth.credentials import AuthenticatedSessions
from tradewind_provider.api.auth.dag_access import DagAccessCheck
from tradewind_provider.api.auth.rate_limiter import AuthenticationRateLimiter
from tradewind_provider.api.auth.refusal_events import RefusalEvents
from tradewind_provider.api.ingress.address_gate import LiveAddressGate
from tradewind_provider.api.ingress.refused_tries import RefusedTries
from tradewind_provider.api.plane import Plane
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.services.log_relay import relay
from tradewind_provider.settings import Settings
from tradewind_provider.shortcuts.switch import ShortcutSwitch


def compose(
    settings: Settings | None = None,
    *,
    clock: Clock = utc_now,
    monotonic: Callable[[], float] = time.monotonic,
    shortcuts: ShortcutSwitch | None = None,
) -> Plane:
    """The parts of one API server, not yet running: its applications' lifespan runs them.

    `settings` default to those of Airflow's configuration. The log relay alone is the process's: Airflow makes the
    reader of task logs by itself, and gives it no arguments.
    """
    settings = settings or provider_settings.current()
    refusal_events = RefusalEvents(clock=clock)
    rate_limiter = AuthenticationRateLimiter(
        refusal_events, per_minute=settings.failures_per_minute, monotonic=monotonic
    )
    return Plane(
        settings=settings,
        clock=clock,
        hub=notifications.Hub(),
        shortcuts=shortcuts or ShortcutSwitch(settings.shortcuts),
        relay=relay(),
        gate=LiveAddressGate(),
        refusal_events=refusal_events,
        refused_tries=RefusedTries(clock=clock),
        rate_limiter=rate_limiter,
        sessions=AuthenticatedSessions(rate_limiter, monotonic=monotonic),
        authorizer=AttemptAuthorizer(monotonic=monotonic),
        dag_access=DagAccessCheck(monotonic=monotonic),
        execution=ExecutionApi(),
        execution_tokens=ExecutionTokens(),
    )
