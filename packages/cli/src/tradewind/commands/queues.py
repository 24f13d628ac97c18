"""`tradewind queues`: queues, what waits in them, and the agents that serve them."""

from __future__ import annotations

import click

from tradewind.commands.options import output_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, span
from tradewind_protocol.operator import CanaryResult, CanaryView


def _canary(canary: CanaryView | None) -> str:
    """How the last one went; with the part of the way that failed."""
    if canary is None:
        return "–"
    if canary.result is CanaryResult.FAILED and canary.hop is not None:
        return f"{canary.hop.value} failed"
    return canary.result.value


def _failure(canary: CanaryView | None) -> str:
    """Why the last one failed, and what to do."""
    if canary is None or canary.result is not CanaryResult.FAILED:
        return ""
    return f"{canary.reason} {canary.remedy}".strip()


_COLUMNS = (
    Column("SITE", lambda queue: queue.site or "–"),
    Column("QUEUE", lambda queue: queue.queue),
    Column("WAITING", lambda queue: str(queue.depth)),
    Column("OLDEST", lambda queue: span(queue.oldest_wait) if queue.depth else "–"),
    Column("RUNNING", lambda queue: str(queue.running)),
    Column("SLOTS", lambda queue: f"{queue.slots_used}/{queue.slots}"),
    Column("SERVED BY", lambda queue: ", ".join(queue.agents) or "no agent"),
    Column("CANARY", lambda queue: _canary(queue.canary)),
    Column("WARNING", lambda queue: queue.warning or _failure(queue.canary), wide=True),
)


@click.group()
def queues() -> None:
    """List queues, with waiting work and the agents that serve them."""


@queues.command("list")
@output_option
@pass_session
def list_(session: Session) -> None:
    """List the queues that agents serve or in which work waits."""
    with session.connect() as client:
        page = client.queues()
    session.output.page(page, _COLUMNS, none="No queue is served and no work waits.")
