"""How many Deployments a workspace may have, and which of them count."""

from __future__ import annotations

from typing import Final

from tradewind_platform.domain.operations import GONE, Phase

COUNTED: Final[frozenset[Phase]] = frozenset(Phase) - GONE
"""A Deployment counts until its processes have ended by its deletion: one that is asleep or has failed does, too."""


def has_room(at_most: int | None, deployments: int) -> bool:
    """Whether a workspace with so many Deployments may have one more. Without a quota (None) it always may."""
    return at_most is None or deployments < at_most
