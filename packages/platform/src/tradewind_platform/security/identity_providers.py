"""The identity providers that this process has asked, with the metadata that they publish."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import httpx

from tradewind_platform.security.openid_connect import IdentityProvider


class IdentityProviders:
    """One for each issuer."""

    def __init__(self, clock: Callable[[], datetime], transport: httpx.BaseTransport | None = None) -> None:
        self._clock = clock
        self._transport = transport
        self._lock = threading.Lock()
        self._known: dict[str, IdentityProvider] = {}

    def of(self, issuer: str) -> IdentityProvider:
        with self._lock:
            if issuer not in self._known:
                self._known[issuer] = IdentityProvider(issuer, clock=self._clock, transport=self._transport)
            return self._known[issuer]
