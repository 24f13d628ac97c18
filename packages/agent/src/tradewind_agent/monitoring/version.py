"""Which version of the agent this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def agent_version() -> str:
    """The version of this distribution; empty in a source tree that was never installed."""
    try:
        return version("tradewind-agent")
    except PackageNotFoundError:
        return ""
