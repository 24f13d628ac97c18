"""What the doctor learns from the plane: token, Deployment, versions, clock."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from doctor_kit import an_examination, fake_plane, results, saying, serving

from tradewind_agent.doctor import plane as plane_check
from tradewind_agent.doctor.examined import Examination
from tradewind_agent.testing import FakePlane
from tradewind_protocol.checks import Result, Verdict
from tradewind_protocol.errors import Code, Refused


async def examined(one: Examination) -> dict[str, Result]:
    async with httpx.AsyncClient(base_url=one.settings.plane_url) as one.http:
        return await results(plane_check, one)


async def test_a_plane_that_takes_the_token_is_well_in_every_respect(
    tmp_path: Path, plane: FakePlane
) -> None:
    async with fake_plane(plane) as url:
        one = an_examination(tmp_path, url, token=plane.token)
        found = await examined(one)
    assert {each.verdict for each in found.values()} == {Verdict.OK}, found
    assert list(found) == ["plane", "clock", "token", "deployment", "allow-list", "versions"]
    assert plane.token not in str(found) and "which does not expire" in found["token"].evidence
    assert plane.sessions == [], "no session was opened"


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (
            "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\n\r\n404 page not found",
            "there is no Remote Execution",
        ),
        ("HTTP/1.1 302 Found\r\nlocation: https://login.test/\r\n\r\n", "a sign-in page"),
        ("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>", "where a plane answers JSON"),
        ("HTTP/1.1 503 Away\r\n\r\n", "answered 503 for the plane"),
    ],
)
async def test_whatever_else_answers_is_told_from_a_plane(tmp_path: Path, answer: str, evidence: str) -> None:
    async with serving(saying(answer)) as port:
        found = await examined(an_examination(tmp_path, f"http://127.0.0.1:{port}"))
    assert found["plane"].verdict is Verdict.FAILED and evidence in found["plane"].evidence
    assert {found[name].verdict for name in ("token", "versions")} == {Verdict.SKIPPED}


@pytest.mark.parametrize(
    ("code", "check"),
    [
        (Code.ADDRESS_NOT_ALLOWED, "allow-list"),
        (Code.TOKEN_UNKNOWN, "token"),
        (Code.TOKEN_EXPIRED, "token"),
        (Code.TOKEN_DELETED, "token"),
        (Code.RATE_LIMITED, "token"),
        (Code.WRONG_DEPLOYMENT, "deployment"),
        (Code.VERSION_SKEW, "versions"),
    ],
)
async def test_each_refusal_fails_the_check_it_belongs_to(
    tmp_path: Path, plane: FakePlane, code: Code, check: str
) -> None:
    plane.refuse = lambda path: Refused(code, "the plane's own words", remedy="its remedy")
    async with fake_plane(plane) as url:
        found = await examined(an_examination(tmp_path, url))
    bad = [each for each in found.values() if each.verdict is Verdict.FAILED]
    assert [each.check for each in bad] == [check]
    assert list(found) == ["plane", "clock", "token", "deployment", "allow-list", "versions"]
    assert (found["allow-list"].verdict is Verdict.OK) == (check != "allow-list")
    assert bad[0].evidence == f"the plane's own words ({code.value})" and bad[0].remedy == "its remedy"


async def test_a_token_that_ends_soon_is_a_warning(tmp_path: Path, plane: FakePlane) -> None:
    plane.token_expires_at = datetime.now(timezone.utc) + timedelta(days=3)
    async with fake_plane(plane) as url:
        found = await examined(an_examination(tmp_path, url, token=plane.token))
    assert found["token"].verdict is Verdict.WARNING and "expires in 3.0 days" in found["token"].evidence


async def test_a_token_file_that_is_not_there_or_holds_something_else_is_a_failure(
    tmp_path: Path, plane: FakePlane
) -> None:
    async with fake_plane(plane) as url:
        for text in (None, "not a token"):
            file = tmp_path / "token"
            if text:
                file.write_text(text)
            found = await examined(an_examination(tmp_path, url, token=None, token_file=file))
            assert found["token"].verdict is Verdict.FAILED and str(file) in found["token"].evidence


@pytest.mark.parametrize(("off", "how"), [(300, "behind"), (-300, "ahead of")])
async def test_a_wrong_clock_is_a_failure(tmp_path: Path, off: int, how: str) -> None:
    at = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=off), usegmt=True)
    body = json.dumps({"error": "token_unknown", "message": "no such token"})
    head = f"HTTP/1.1 401 No\r\ndate: {at}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    async with serving(saying(head + body)) as port:
        found = await examined(an_examination(tmp_path, f"http://127.0.0.1:{port}"))
    assert found["clock"].verdict is Verdict.FAILED and how in found["clock"].evidence
    assert "NTP" in found["clock"].remedy
