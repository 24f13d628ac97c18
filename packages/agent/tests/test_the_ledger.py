"""What the owner of a site can show of what left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tradewind_agent.gateway.ledger import CURRENT, Cause, Ledger

START = 1_800_000_000.0


@dataclass(frozen=True)
class Sent:
    method: str = "POST"
    path: str = "/poll"
    request_bytes: int = 12
    status: int = 200
    duration: float = 0.25
    carries: tuple[str, ...] = ()


@dataclass
class Clock:
    at: float = START

    def __call__(self) -> float:
        return self.at


def test_every_request_that_leaves_is_one_line(tmp_path: Path) -> None:
    with Ledger(tmp_path, now=Clock()) as ledger:
        ledger.sent(Sent())
        with ledger.because(Cause("etl.extract", "/execution/xcoms/{key}", carries=("xcom k",))):
            ledger.sent(Sent(path="/execution/xcoms/k", request_bytes=40, status=201))
        ledger.sent(Sent(status=0))
    lines = list(ledger.read())
    assert lines[0] == {
        "at": "2027-01-15T08:00:00.000+00:00",
        "principal": "agent",
        "method": "POST",
        "path": "/poll",
        "bytes": 12,
        "left": True,
        "decision": "passed",
        "status": 200,
        "duration": 0.25,
    }
    assert (lines[1]["principal"], lines[1]["path"], lines[1]["carries"]) == (
        "etl.extract",
        "/execution/xcoms/{key}",
        ["xcom k"],
    )
    assert lines[2]["status"] == 0, "a request without an answer left all the same"
    assert lines[2]["principal"] == "agent"


def test_what_the_outbox_delivers_later_is_written_down_without_names(tmp_path: Path) -> None:
    with Ledger(tmp_path, now=Clock()) as ledger:
        ledger.sent(Sent(path="/execution/xcoms/patients/run%2F1/load/k"))
        ledger.sent(Sent(path="/attempts/0/finish"))
    assert [line["path"] for line in ledger.read()] == [
        "/execution/xcoms/{dag_id}/{run_id}/{task_id}/{key:path}",
        "/attempts/0/finish",
    ]


def test_what_stayed_says_so(tmp_path: Path) -> None:
    with Ledger(tmp_path, now=Clock()) as ledger:
        ledger.stayed(Cause("t", "/x", "refused", "a value"), method="POST", size=9, status=403)
    (line,) = ledger.read()
    assert (line["left"], line["decision"], line["what"], line["bytes"]) == (False, "refused", "a value", 9)


def test_a_restarted_agent_goes_on_where_it_stopped(tmp_path: Path) -> None:
    for _ in range(2):
        with Ledger(tmp_path, now=Clock()) as ledger:
            ledger.sent(Sent())
    assert len(list(ledger.read())) == 2


def test_files_are_rotated_by_size_and_the_oldest_go(tmp_path: Path) -> None:
    clock = Clock()
    with Ledger(tmp_path, now=clock, largest=1000, files=3) as ledger:
        for _ in range(50):
            clock.at += 1
            ledger.sent(Sent())
        assert len(list(tmp_path.iterdir())) == 4
        assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
        moments = [line["at"] for line in ledger.read()]
    assert moments == sorted(moments)
    assert moments[-1].startswith("2027-01-15T08:00:50")
    assert 15 <= len(moments) < 50


def test_lines_can_be_read_from_a_moment_on_and_by_another_process(tmp_path: Path) -> None:
    clock = Clock()
    with Ledger(tmp_path, now=clock) as ledger:
        for _ in range(5):
            ledger.sent(Sent())
            clock.at += 60
        since = datetime.fromtimestamp(START, timezone.utc) + timedelta(seconds=180)
        assert len(list(Ledger(tmp_path, now=clock).read(since))) == 2


def test_a_line_cut_off_by_a_power_cut_is_left_out(tmp_path: Path) -> None:
    with Ledger(tmp_path, now=Clock()) as ledger:
        ledger.sent(Sent())
    with (tmp_path / CURRENT).open("a") as file:
        file.write('{"at": "2027-01')
    assert len(list(ledger.read())) == 1


def test_only_the_agents_user_reads_it(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger", now=Clock()) as ledger:
        ledger.sent(Sent())
    assert (tmp_path / "ledger" / CURRENT).stat().st_mode & 0o077 == 0


def test_a_disk_that_refuses_stops_nobody_and_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger(tmp_path, now=Clock()) as ledger:
        with monkeypatch.context() as patched:
            # The one outside thing without a seam: a disk cannot be filled in a test.
            patched.setattr(
                "os.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
            )
            ledger.sent(Sent())
            assert "No space left" in ledger.problem
        ledger.sent(Sent())
        assert ledger.problem == ""
    assert len((tmp_path / CURRENT).read_text().splitlines()) == 1
    assert json.loads((tmp_path / CURRENT).read_text())
