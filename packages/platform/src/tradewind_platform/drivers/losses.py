"""What a rollback forgets: runs that began since the backup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tradewind_platform.reconciler.driver import Document, StepFailed

ACCEPT_LOSS: Final = "accept_loss"
"""The argument that says that runs may be forgotten."""
MADE_AT: Final = "made_at"
"""The argument with the moment of the backup."""


def accepted(document: Document, runs: int) -> Mapping[str, Any]:
    """The number as a fact. Raises StepFailed unless there is none, or the loss was accepted."""
    if runs and not document.arguments.get(ACCEPT_LOSS):
        since = str(document.arguments[MADE_AT])
        raise StepFailed(
            f"{runs} runs since {since[:16]} UTC will be forgotten; ask again and accept that: --accept-loss",
            final=True,
        )
    return {"forgotten": runs}
