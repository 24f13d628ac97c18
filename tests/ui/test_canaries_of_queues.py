"""What the page says of the canaries of queues."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

ENVIRONMENT = {"name": "default", "slots": 2, "python": "3.12.3", "airflow": "3.3.2"}


def row(page: Any, queue: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_text(queue, exact=True))


def test_a_canary_that_arrived_says_how_long_each_part_of_its_way_took(open_page: Any, site: Path) -> None:
    page = open_page("queues")
    told = row(page, "default").first
    expect(told).to_contain_text(
        re.compile(r"claim \d+\.\d\d s, start \d+\.\d\d s, log \d+\.\d\d s, finish \d+\.\d\d s"),
        timeout=90_000,
    )


def test_a_canary_that_no_agent_takes_says_where_it_failed_and_what_to_do(open_page: Any, stand: Any) -> None:
    gone = stand.agent("nimes", environments=[{**ENVIRONMENT, "queues": ["olives"], "canary": True}])
    stand.agent("arles", environments=[{**ENVIRONMENT, "queues": ["wheat"]}])
    page = open_page("queues")
    expect(row(page, "olives")).to_contain_text(
        "busy", timeout=90_000
    )  # it has said of no slot that it is free
    gone.leave()
    expect(row(page, "olives")).to_contain_text("claim failed", timeout=90_000)
    told = page.get_by_text("no agent claims work of the queue").first
    expect(told).to_contain_text("olives")
    expect(told).to_contain_text("Start an agent that serves queue")
    expect(row(page, "wheat")).to_contain_text("unknown", timeout=90_000)
    expect(row(page, "wheat")).to_contain_text(
        "no agent of the queue runs canaries: the version of agent arles is older"
    )
