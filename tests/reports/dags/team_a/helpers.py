"""Helpers that a Dag imports, relative to its bundle."""

from __future__ import annotations

from team_a import constants


def whole(name: str) -> str:
    """A name with the team's prefix."""
    return f"{constants.PREFIX}-{name}"
