"""Notifications between the processes of the plane, and requests from one API server to another.

`publish` in a transaction reaches every API server's `Hub` once the transaction commits. Below it, `transport` carries
topics by PostgreSQL's NOTIFY, or by datagrams where the database is SQLite. `peers` passes requests between the API
servers of one machine. Nothing here knows what a topic is about.
"""

from tradewind_provider.notifications.hub import (
    AGENTS,
    ANYTHING,
    DAGS,
    TRIGGERS,
    WORK,
    Hub,
    Subscription,
    dags_changed,
    publish,
)

__all__ = [
    "AGENTS",
    "ANYTHING",
    "DAGS",
    "TRIGGERS",
    "WORK",
    "Hub",
    "Subscription",
    "dags_changed",
    "publish",
]
