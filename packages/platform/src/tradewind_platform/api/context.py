"""What the API needs of the process that it runs in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from uuid import UUID

from fastapi import Request

from tradewind_platform.api.access_watch import AccessWatch
from tradewind_platform.api.request_limit import RequestLimit
from tradewind_platform.clock import Clock, utc_now
from tradewind_platform.domain.catalogue import Offered
from tradewind_platform.domain.request_rates import UNLIMITED, RequestRates
from tradewind_platform.domain.roles import Principal
from tradewind_platform.reconciler.component_logs import ComponentLogs
from tradewind_platform.reconciler.driver import LogReader
from tradewind_platform.security.attempt_limiter import AttemptLimiter
from tradewind_platform.security.identity_providers import IdentityProviders
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.security.passwords import Passwords
from tradewind_platform.services.access import AccessDocuments
from tradewind_platform.services.allowed_addresses_cache import AllowedAddressesCache
from tradewind_platform.services.change import Origin
from tradewind_platform.services.sign_in_sessions import SignedIn
from tradewind_platform.services.sso_sign_in import SignInFlow
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_platform.store.sessions import Store
from tradewind_protocol.access import LONGEST_HOLD_SECONDS


@dataclass(frozen=True)
class SignInLimits:
    """How often a sign-in may be tried: with a name from an address, and from an address."""

    name: AttemptLimiter = field(default_factory=lambda: AttemptLimiter(5, timedelta(minutes=5)))
    address: AttemptLimiter = field(default_factory=lambda: AttemptLimiter(50, timedelta(minutes=5)))


@dataclass(frozen=True)
class AddressRefusalLimits:
    """How often the audit trail has an address that is not allowed: one, and all together."""

    address: AttemptLimiter = field(default_factory=lambda: AttemptLimiter(1, timedelta(minutes=5)))
    all: AttemptLimiter = field(default_factory=lambda: AttemptLimiter(50, timedelta(minutes=5)))


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
    log_readers: Mapping[str, LogReader] = field(default_factory=dict)
    """Of the clusters whose Deployments run on this process's machine, by driver."""
    origin: str = "http://127.0.0.1:8700"
    """The platform's own address for browsers, from its configuration and never from a request's `Host`."""
    passwords: Passwords = field(default_factory=Passwords)
    sign_in_limits: SignInLimits = field(default_factory=SignInLimits)
    address_refusal_limits: AddressRefusalLimits = field(default_factory=AddressRefusalLimits)
    offered: Offered = field(default_factory=Offered)
    """The versions of Airflow that Deployments may have."""
    archives: PlaneArchives | None = None
    """Of code that is sent for Deployments; None: none is taken."""
    providers: IdentityProviders = field(default_factory=lambda: IdentityProviders(utc_now))
    request_rates: RequestRates = UNLIMITED
    """Of an API token."""
    access_hold_seconds: float = LONGEST_HOLD_SECONDS
    """A request that waits for a change of access is answered after this time at the latest."""

    @property
    def component_logs(self) -> ComponentLogs:
        return ComponentLogs(self.store, self.ring, self.log_readers)

    @cached_property
    def allowed_addresses(self) -> AllowedAddressesCache:
        """From where pages and API may be used."""
        return AllowedAddressesCache(self.store, self.clock)

    @cached_property
    def request_limit(self) -> RequestLimit:
        """How many requests of a credential this process answers."""
        return RequestLimit(self.request_rates)

    @cached_property
    def access_documents(self) -> AccessDocuments:
        return AccessDocuments(self.store, self.clock)

    @cached_property
    def access_reading(self) -> asyncio.Lock:
        """Held while the documents of a new revision are read."""
        return asyncio.Lock()

    @cached_property
    def access_watch(self) -> AccessWatch:
        return AccessWatch(self.store)

    @property
    def sign_in_flow(self) -> SignInFlow:
        """Sign-in at the identity provider."""
        return SignInFlow(self.store, self.ring, self.providers, self.origin)


@dataclass(frozen=True)
class Caller:
    """Who sent a request, and from where."""

    organization: UUID
    principal: Principal
    origin: Origin
    signed_in: SignedIn | None = None
    """The session of a caller with a browser; None for an API token."""


def platform_of(request: Request) -> Platform:
    found: Platform = request.app.state.platform
    return found


def caller_of(request: Request) -> Caller:
    """Set by the authentication, which every path below `/v1` passes."""
    found: Caller = request.scope["tradewind_caller"]
    return found


def request_origin(request: Request) -> Origin:
    """Where the request came from. Set by `RequestOrigin` for every path."""
    found: Origin = request.scope["tradewind_origin"]
    return found
