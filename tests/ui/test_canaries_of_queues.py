"""The last canary of each queue, on the page of queues."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from playwright.sync_api import expect


def a_failed_canary(database: Path, queue: str) -> None:
    """As the plane keeps it; the next one is due tomorrow."""
    now = datetime.now(timezone.utc)
    at, due = (str(one.replace(tzinfo=None)) for one in (now, now + timedelta(days=1)))
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.execute(
            "INSERT OR REPLACE INTO tradewind_canary (site, queue, served_at, due_at, judged_at, result, hop, rule,"
            " reason, remedy, agent, seconds, failures)"
            " VALUES ('default', ?, ?, ?, ?, 'failed', 'start', 'queues', 'The rule refuses it.', 'Allow the queue.',"
            " 'metz', ?, 1)",
            (queue, at, due, at, '{"claim": 0.25}'),
        )


def test_the_page_of_queues_says_where_a_canary_failed_why_and_what_helps(
    open_page: Any, plane: Any, stand: Any
) -> None:
    stand.agent("metz", queues=["orchards"])
    a_failed_canary(plane.home / "airflow.db", "orchards")
    row = open_page("queues").get_by_role("row").filter(has_text="orchards")
    for said in (
        "failed: start",
        "claim 0.25 s",
        "Agent: metz",
        "Rule: queues",
        "The rule refuses it.",
        "Allow the queue.",
    ):
        expect(row).to_contain_text(said)
