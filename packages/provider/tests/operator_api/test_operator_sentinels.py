"""Sentinels and their findings, as people read them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from tradewind_protocol.sentinel import SentinelFinding, SentinelReport, WatchedAgent
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import sentinels, tokens

from .conftest import NOW


def reported(site: str = "default") -> None:
    with create_session() as db:
        made = tokens.create(
            db, name=f"watch-{site}", site=site, expires_in_days=None, created_by="ada", now=NOW, limit=50
        )
        report = SentinelReport(
            instance=uuid4(),
            name="watch",
            platform="kubernetes",
            scope="airflow",
            agents=(WatchedAgent(name="eu-1", state="running", restarts=3),),
            findings=(
                SentinelFinding(
                    check="out_of_memory",
                    subject="eu-1",
                    cause="the container was killed",
                    remedy="raise the limit",
                    since=NOW - timedelta(minutes=2),
                ),
            ),
        )
        sentinels.report(db, made.token, report, now=NOW)


async def test_an_agent_shows_what_the_sentinels_of_its_site_find_wrong_with_it(
    signed_in: Any, rows: Any
) -> None:
    agent, other = rows.agent("eu-1"), rows.agent("eu-2")
    reported()
    reported(site="elsewhere")  # has an agent of that name, too
    viewer = signed_in("vera")
    (one,) = (await viewer.get(f"/agents/{agent}")).json()["sentinel"]
    assert (one["check"], one["cause"], one["sentinel"], one["site"]) == (
        "out_of_memory",
        "the container was killed",
        "watch",
        "default",
    )
    assert (await viewer.get(f"/agents/{other}")).json()["sentinel"] == []


async def test_findings_are_listed_and_filtered(signed_in: Any, rows: Any) -> None:
    reported()
    reported(site="elsewhere")
    viewer = signed_in("vera")
    assert (await viewer.get("/sentinels/findings")).json()["total"] == 2
    assert (await viewer.get("/sentinels/findings", params={"site": "elsewhere"})).json()["total"] == 1
    assert (await viewer.get("/sentinels/findings", params={"check": "quota"})).json()["total"] == 0
    listed = (await viewer.get("/sentinels")).json()["items"]
    assert [(one["site"], one["token"], one["lost"]) for one in listed] == [
        ("default", "watch-default", False),
        ("elsewhere", "watch-elsewhere", False),
    ]


async def test_a_sentinel_that_is_silent_is_shown_as_lost(signed_in: Any, now: Any) -> None:
    reported()
    now[0] = NOW + timedelta(seconds=90)
    (one,) = (await signed_in("vera").get("/sentinels")).json()["items"]
    assert one["lost"] and one["age"] == 90.0
    assert [each["check"] for each in one["findings"]] == ["sentinel_lost", "out_of_memory"]


async def test_nobody_who_is_not_signed_in_reads_them(signed_in: Any) -> None:
    assert (await signed_in("").get("/sentinels")).status_code == 401
