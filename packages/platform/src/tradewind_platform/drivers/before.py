"""Steps that undo an operation: they are done for what was there before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tradewind_platform.reconciler.driver import Document

Step = Callable[[Document], Mapping[str, Any] | None]


def as_before(document: Document) -> Document:
    """With the specification that was applied last."""
    return replace(document, spec=document.before or document.spec)


def before(step: Step) -> Step:
    """The step, for the specification that was applied last."""
    return lambda document: step(as_before(document))
