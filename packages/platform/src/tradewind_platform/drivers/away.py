"""What a step needs, and what does not answer at the moment."""

from __future__ import annotations

from tradewind_platform.reconciler.driver import StepFailed


class Away(StepFailed):
    """An API server or a database does not answer, or not yet: another try may succeed, once it is there again."""
