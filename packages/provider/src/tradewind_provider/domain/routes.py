"""Where work may go: to agents of one site that have one bundle, on one queue."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tradewind_protocol import sites


@dataclass(frozen=True, slots=True)
class Route:
    """What an agent needs to be given the work. Queues are names within a site."""

    queue: str
    site: str | None = sites.DEFAULT  # None: no site has the bundle, so no agent can have the work
    bundle: str | None = None  # None: the work needs none
    canary: bool = False  # only for task environments that run canaries


def addressed(queue: str, known: Collection[str]) -> tuple[str, str]:
    """The site and its queue for work that belongs to no site's bundle: a connection test, a task of the plane's own
    Dags. A queue `site:queue` names one of the known sites; else it is the only site, or `default`."""
    site, colon, rest = queue.partition(":")
    if colon and rest and site in known:
        return site, rest
    if len(known) == 1 and sites.DEFAULT not in known:
        return next(iter(known)), queue
    return sites.DEFAULT, queue
