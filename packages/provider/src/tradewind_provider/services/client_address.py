"""Where the request in hand comes from."""

from __future__ import annotations

from contextvars import ContextVar

ADDRESS: ContextVar[str] = ContextVar("tradewind_address", default="")
"""The address of the client, as `domain.addresses` finds it; empty outside of a request. Set by the outermost
middleware, and with it known to everything that happens for the request, whatever thread it happens in."""


ENDPOINT: ContextVar[str] = ContextVar("tradewind_endpoint", default="")
"""The private endpoint by which the request came; empty: the public way. Set together with ADDRESS."""


def address() -> str:
    """Of the request in hand."""
    return ADDRESS.get()


def endpoint() -> str:
    """Of the request in hand."""
    return ENDPOINT.get()


def origin() -> str:
    """Address and endpoint in one: behind private endpoints, two clients can have the same address."""
    return f"{address()} by {endpoint()}" if endpoint() else address()
