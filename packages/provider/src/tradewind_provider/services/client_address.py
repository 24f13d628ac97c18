"""Where the request in hand comes from."""

from __future__ import annotations

from contextvars import ContextVar

ADDRESS: ContextVar[str] = ContextVar("tradewind_address", default="")
"""The address of the client, as `domain.addresses` finds it; empty outside of a request. Set by the outermost
middleware, and with it known to everything that happens for the request, whatever thread it happens in."""


def address() -> str:
    """Of the request in hand."""
    return ADDRESS.get()
