"""What the holder of a token may ask without a session: is my token good, and what waits."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from tradewind_protocol import sites
from tradewind_protocol.messages import Message
from tradewind_protocol.polling import QueueStatistics
from tradewind_protocol.sessions import Policy

TOKEN: Final = "/token"  # GET
QUEUES: Final = "/queues"  # GET all of them
"""Paths under `paths.PREFIX`. `QUEUES/<name>` is one queue: that it is empty is no error."""
BACKLOG: Final = "/backlog"  # GET ?queue=…&queue=…[&group=…]
"""The sum of several queues. `group` is a set of agents that are scaled together, by the name in their settings."""


class AboutToken(Message):
    """What an agent token opens."""

    deployment: str
    token: str  # its name
    site: str = sites.DEFAULT  # which it belongs to
    expires_at: datetime | None = None
    policy: Policy = Policy.OPEN  # the least strict data boundary the Deployment allows this site
    plane_version: str = ""
    airflow_version: str = ""
    now: datetime | None = None  # the plane's clock


class QueueDepth(QueueStatistics):
    """One queue, for whatever decides how many agents there should be."""

    running: int = 0  # offered or running
    work: int = 0  # depth and running: slots it could fill now


class Backlog(Message):
    """Several queues of a site as one, for a scaler of the agents that serve them."""

    work: int = 0  # slots it could fill now: what waits, and what the group's agents have (without a group: all agents)
    depth: int = 0  # pieces of work that wait
    running: int = 0  # offered or running, on any agent of the site
    oldest_wait: float = 0.0  # seconds
    mine: int = 0  # of `running`, what the group's agents have; without a group, all of it


class QueueDepths(Message):
    """Every queue with work, by name."""

    queues: tuple[QueueDepth, ...] = ()
    age: float = 0.0  # seconds since it was counted
