"""A sentinel reports with a token of its own; its findings and its silence are seen and are events."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from tradewind_protocol.ids import TokenKind
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.ingress import admission
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import metrics, sentinels, tokens
from tradewind_provider.services.operator import sentinels as views
from tradewind_provider.services.operator.pages import PageRequest
from tradewind_provider.store.tables import Event, SentinelRow

from .scenes import Clock, Plane, sweeper_of

NOBODY = {"instance": str(uuid4()), "name": "lab-sentinel", "platform": "kubernetes", "scope": "airflow"}


def finding(check: str, subject: str = "worker-1", **more: Any) -> dict[str, Any]:
    return {
        "check": check,
        "subject": subject,
        "cause": f"cause of {check}",
        "evidence": "seen",
        "remedy": "do this",
        "since": "2026-03-01T11:58:00Z",
        **more,
    }


@pytest.fixture
def token(clock: Clock) -> str:
    with create_session() as db:
        return tokens.create(
            db,
            name="watch",
            kind=TokenKind.SENTINEL,
            expires_in_days=None,
            created_by="ada",
            now=clock(),
            limit=50,
        ).secret


async def reported(plane: Plane, token: str, *findings: dict[str, Any], **more: Any) -> Any:
    body = {**NOBODY, "findings": list(findings), **more}
    return await plane.agent().call("POST", "/sentinel/report", body, bearer=token)


def events(*actions: str) -> list[tuple[str, str, str]]:
    with create_session() as db:
        rows = db.scalars(select(Event).where(Event.action.in_(actions)).order_by(Event.id)).all()
        return [(one.action, one.subject, one.reason) for one in rows]


def found(clock: Clock) -> list[tuple[str, str]]:
    with create_session() as db:
        page = views.findings(db, PageRequest(limit=100), now=clock())
        return [(one.check, one.subject) for one in page.items]


async def test_what_begins_and_what_ends_is_an_event_and_a_report_sent_twice_changes_nothing(
    plane: Plane, clock: Clock, token: str
) -> None:
    answer = await reported(plane, token, finding("image_pull"), finding("quota", "lab/gpu"))
    assert (answer.status_code, answer.json()) == (200, {"every": 30.0, "canaries": []}), answer.text
    await reported(plane, token, finding("image_pull"), finding("quota", "lab/gpu"))
    clock.forward(30)
    await reported(plane, token, finding("image_pull"))
    assert sorted(found(clock)) == [("image_pull", "worker-1")]
    assert events("sentinel_finding_began", "sentinel_finding_ended") == [
        ("sentinel_finding_began", "agent:worker-1", "cause of image_pull"),
        ("sentinel_finding_began", "agent:lab/gpu", "cause of quota"),
        ("sentinel_finding_ended", "agent:lab/gpu", "cause of quota"),
    ]


async def test_a_sentinel_that_misses_three_reports_is_lost_and_returns(
    plane: Plane, clock: Clock, token: str, settings: Any
) -> None:
    sweeper = sweeper_of(settings, clock)
    await reported(plane, token)
    for _ in range(9):
        clock.forward(9.9)
        await sweeper.once()
    assert events("sentinel_lost") == [] and found(clock) == []
    clock.forward(1)
    await sweeper.once()
    clock.forward(1)
    await sweeper.once()
    assert events("sentinel_lost") == [
        ("sentinel_lost", "sentinel:lab-sentinel", "it has sent no report for 90 s")
    ]
    assert found(clock) == [("sentinel_lost", "lab-sentinel")]
    await reported(plane, token)
    assert found(clock) == []
    assert [one[0] for one in events("sentinel_appeared", "sentinel_returned")] == [
        "sentinel_appeared",
        "sentinel_returned",
    ]


@pytest.mark.parametrize("kind", [TokenKind.AGENT, TokenKind.SCALER])
async def test_no_other_token_reports(plane: Plane, clock: Clock, kind: TokenKind) -> None:
    with create_session() as db:
        made = tokens.create(
            db, name="other", kind=kind, expires_in_days=None, created_by="ada", now=clock(), limit=50
        )
    answer = await reported(plane, made.secret)
    assert (answer.status_code, answer.json()["error"]) == (403, "not_permitted")
    assert answer.json()["remedy"] == "use a token of kind sentinel"
    with create_session() as db:
        assert db.scalars(select(SentinelRow)).all() == []


async def test_a_sentinels_token_opens_no_session_and_reads_no_metrics(plane: Plane, token: str) -> None:
    agent = plane.agent()
    agent.secret = token
    assert (await agent.open()).json()["error"] == "not_permitted"
    assert (await agent.call("GET", "/metrics", bearer=token)).json()["error"] == "not_permitted"
    assert (await agent.call("GET", "/token", bearer=token)).status_code == 200
    assert (await agent.call("GET", "/backlog?queue=default", bearer=token)).status_code == 200


async def test_a_site_has_so_many_sentinels_and_no_more(
    plane: Plane, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentinels, "MOST_OF_A_SITE", 2)
    answers = [await reported(plane, token, name=name) for name in ("a", "b", "c", "a")]
    assert [one.status_code for one in answers] == [200, 200, 409, 200]
    assert answers[2].json()["error"] == "limit_reached"


async def test_a_text_that_is_too_long_is_cut_and_the_report_stays(
    plane: Plane, clock: Clock, token: str
) -> None:
    answer = await reported(plane, token, finding("image_pull", evidence="x" * 10_000))
    assert answer.status_code == 200
    with create_session() as db:
        (one,) = views.findings(db, PageRequest(limit=1), now=clock()).items
    assert one.evidence == "x" * 1000


async def test_the_planes_metrics_count_findings_and_say_when_each_reported(
    plane: Plane, clock: Clock, token: str
) -> None:
    await reported(plane, token, finding("image_pull"), finding("image_pull", "worker-2"), finding("quota"))
    with create_session() as db:
        snapshot = metrics.look(db, now=clock(), beats=HeartbeatLimits(25.0, 75.0))
    text = metrics.text(snapshot)
    assert 'tradewind_plane_sentinel_findings{site="default",check="image_pull"} 2' in text
    assert (
        f'tradewind_plane_sentinel_report_timestamp_seconds{{site="default",sentinel="lab-sentinel"}} '
        f"{int(clock().timestamp())}"
    ) in text


def test_a_whole_report_fits_into_what_is_read() -> None:
    assert admission.largest("/sentinel/report", deployment=32 * 2**20) == 2 * 2**20
