"""What the plane tells a sentinel of canaries is a finding and a metric at the site."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from tradewind_agent.sentinel import metrics
from tradewind_agent.sentinel.canaries import findings
from tradewind_agent.sentinel.composition import Sentinel
from tradewind_agent.sentinel.port import SentinelState
from tradewind_agent.sentinel.settings import SentinelSettings
from tradewind_protocol import ids, versions
from tradewind_protocol.sentinel import QueueCanary, ReportTaken, SentinelFinding, SentinelReport

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def canary(hop: str = "", failures: int = 0, **more: Any) -> QueueCanary:
    told = {"queue": "gpu", "result": "failed" if failures else "ok", "at": NOON, **more}
    return QueueCanary(hop=hop, failures=failures, **told)


def found(*canaries: QueueCanary) -> list[SentinelFinding]:
    return list(findings(canaries, SentinelState().since))


@pytest.mark.parametrize(
    ("hop", "words"),
    [
        ("claim", "work of queue gpu is not claimed: no agent"),
        ("start", "work of queue gpu is claimed and does not start: no agent"),
        ("log", "work of queue gpu starts, and its log is not kept: no agent"),
        ("finish", "work of queue gpu starts, and the plane does not learn how it ends: no agent"),
        ("another", "work of queue gpu does not go all the way: no agent"),
    ],
)
def test_a_finding_names_the_part_of_the_way_that_fails(hop: str, words: str) -> None:
    told = {"reason": "no agent", "remedy": "start one", "seconds": {"claim": 0.25}, "ok_at": NOON}
    (one,) = found(canary(hop, 3, **told), canary())
    assert (one.check, one.subject, one.count) == (f"canary:{hop}", "queue:gpu", 3)
    assert (one.cause, one.remedy) == (words, "start one")
    assert one.evidence == (
        "a canary at 12:00:00 UTC; claim 0.25 s; 3 failed one after the other; the last good one was at 2026-03-01 12:00:00 UTC"
    )


def test_one_that_was_not_tried_leaves_what_failed_before_without_its_reason() -> None:
    (one,) = found(canary("log", 2, result="busy", reason="every slot is taken by work"))
    assert one.cause == "work of queue gpu starts, and its log is not kept"


class Plane:
    """Answers reports with canaries."""

    def __init__(self, *canaries: QueueCanary) -> None:
        self.canaries = canaries
        self.reports: list[SentinelReport] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.reports.append(SentinelReport.model_validate_json(request.content))
        taken = json.loads(ReportTaken(canaries=self.canaries).model_dump_json())
        return httpx.Response(200, json=taken, headers={versions.HEADER: str(versions.PROTOCOL)})


async def test_what_the_plane_answers_is_in_the_next_report_and_since_the_first_that_failed(
    tmp_path: Path,
) -> None:
    plane = Plane(canary("start", 1, reason="no fork"))
    settings = SentinelSettings(
        plane_url="http://plane.test",
        token=ids.new_secret(ids.SENTINEL_TOKEN_PREFIX),
        name="lab",
        platform="machine",
        units=(),
        state_dirs=(),
        port=0,
    )
    sentinel = Sentinel(settings, transport=httpx.MockTransport(plane), now=NOON.timestamp)

    async def reports() -> SentinelReport:
        report = await sentinel.evaluate()
        sentinel.state.evaluated(report, NOON.timestamp())
        sentinel.state.sent(await sentinel._send(report), NOON.timestamp())
        return report

    assert (await reports()).findings == (), "nothing is known before the first answer"
    plane.canaries = (canary("start", 2, at=NOON + timedelta(minutes=5)),)
    (first,) = (await reports()).findings
    (second,) = (await reports()).findings
    assert (first.check, first.count, second.count) == ("canary:start", 1, 2)
    assert first.since == second.since == NOON
    assert 'tradewind_sentinel_canary_failures{queue="gpu",hop="start"} 2' in sentinel.state.metrics(0.0)
    plane.canaries = (canary(),)
    await reports()
    assert (await reports()).findings == ()
    assert 'tradewind_sentinel_canary_failures{queue="gpu",hop=""} 0' in sentinel.state.metrics(0.0)


async def test_an_older_plane_tells_of_none() -> None:
    assert ReportTaken.model_validate({"every": 30.0}).canaries == ()


def test_metrics_say_when_a_canary_ended_and_what_took_how_long() -> None:
    one = canary(queue="a/b", seconds={"claim": 0.25, "log": 1.0})
    said = metrics.text(metrics.Observed(None, (one,), 2, 1.5)).splitlines()
    assert f'tradewind_sentinel_canary_timestamp_seconds{{queue="a/b"}} {int(NOON.timestamp())}' in said
    assert 'tradewind_sentinel_canary_seconds{queue="a/b",hop="claim"} 0.25' in said
    assert "tradewind_sentinel_reports_total 2" in said
    assert "tradewind_sentinel_report_age_seconds 1.5" in said
