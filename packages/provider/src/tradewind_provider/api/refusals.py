"""The refusals of the request in hand, for a middleware that looks at it from outside."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from tradewind_protocol.errors import Refusal


@dataclass(frozen=True)
class Seen:
    """A refusal as it was answered."""

    refusal: Refusal
    no_such_path: bool = False  # there is no verb there: the client's plane_url is wrong


REFUSALS: ContextVar[list[Seen] | None] = ContextVar("tradewind_refusals", default=None)
"""A list that belongs to one request, whatever task or thread answers it; None: nothing looks."""


def seen(refusal: Refusal, *, no_such_path: bool = False) -> None:
    """To be called by what answers with a refusal."""
    if (found := REFUSALS.get()) is not None:
        found.append(Seen(refusal, no_such_path))
