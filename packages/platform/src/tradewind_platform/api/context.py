"""What the API needs of the process that it runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request

from tradewind_platform.clock import Clock, utc_now
from tradewind_platform.domain.roles import Principal
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services.change import Origin
from tradewind_platform.store.sessions import Store


@dataclass(frozen=True)
class Platform:
    """The parts that requests use."""

    store: Store
    ring: KeyRing
    clock: Clock = utc_now
    wake: Callable[[], None] = lambda: None
    """Called once a change is committed that has begun an operation."""
    address: Callable[[str], str] | None = None
    """Where the Airflow of a Deployment is asked, by its slug. None: at its address for people."""


@dataclass(frozen=True)
class Caller:
    """Who sent a request, and from where."""

    organization: UUID
    principal: Principal
    origin: Origin


def platform_of(request: Request) -> Platform:
    found: Platform = request.app.state.platform
    return found


def caller_of(request: Request) -> Caller:
    """Set by the authentication, which every path below `/v1` passes."""
    found: Caller = request.scope["tradewind_caller"]
    return found
