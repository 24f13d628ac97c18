"""The versions of what is installed in a task environment."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed(distribution: str) -> str:
    """The version of a distribution; `unknown` when it was never installed, as in a source tree."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
