"""What the owner of a site is shown of what left: `tradewind-agent ledger`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from agent_kit import AgentUnderTest
from click.testing import CliRunner, Result

from tradewind_agent.cli.main import main
from tradewind_agent.gateway import ledger_lines
from tradewind_agent.gateway.ledger import Cause, Ledger
from tradewind_agent.testing import FakePlane

MORNING = 1_800_000_000.0  # 2027-01-15 08:00 UTC
DAY = 86_400.0


@dataclass(frozen=True)
class Sent:
    method: str = "POST"
    path: str = "/poll"
    request_bytes: int = 12
    status: int = 200
    duration: float = 0.25
    carries: tuple[str, ...] = ()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    moment = MORNING
    with Ledger(tmp_path / "ledger", now=lambda: moment, plane="https://plane.example.com") as ledger:
        ledger.sent(Sent())
        with ledger.because(Cause("orders.load [r1, try 1]", "/execution/xcoms/{key}", carries=("xcom k",))):
            ledger.sent(Sent(path="/execution/xcoms/k", request_bytes=2_500_000, status=201))
        refused = Cause("orders.load [r1, try 1]", "/execution/variables/{key}", "refused", "strict")
        ledger.stayed(refused, method="PUT", size=9, status=403)
        moment += DAY
        ledger.traces("http://collector:4318/v1/traces", 700, 200, 0.01)
        ledger.sent(Sent(path="/attempts/11111111-0000-0000-0000-000000000000/finish", status=0))
    return tmp_path


def shown(state: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["ledger", "--state-dir", str(state), *options])


def lines(state: Path, *options: str) -> list[dict[str, object]]:
    found = shown(state, "--output", "json", *options)
    assert found.exit_code == 0
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_every_request_is_a_row_and_the_total_is_told_beside_them(state: Path):
    found = shown(state)
    assert found.exit_code == 0
    rows = found.stdout.splitlines()
    assert len(rows) == 6
    assert rows[0].startswith("AT (UTC)")
    assert "2027-01-15 08:00:00.000" in rows[2] and "orders.load [r1, try 1]" in rows[2]
    assert "https://plane.example.com (201)" in rows[2] and rows[2].endswith("passed: carries xcom k")
    assert "stayed here" in rows[3] and rows[3].endswith("refused: strict")
    assert "http://collector:4318/v1/traces (200)" in rows[4]
    assert "(no answer)" in rows[5]
    assert found.stderr.strip() == "4 left with 2.5 MB, 1 of them without an answer; 1 stayed"


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        (["--day", "2027-01-16"], ["/v1/traces", "/attempts/11111111-0000-0000-0000-000000000000/finish"]),
        (["--since", "2027-01-15T08:00:01", "--until", "2027-01-16"], []),
        (["--attempt", "orders.load", "--left"], ["/execution/xcoms/{key}"]),
        (["--attempt", "11111111-0000"], ["/attempts/11111111-0000-0000-0000-000000000000/finish"]),
        (["--to", "collector"], ["/v1/traces"]),
        (["--stayed"], ["/execution/variables/{key}"]),
        (["--decision", "refused"], ["/execution/variables/{key}"]),
    ],
)
def test_lines_are_chosen_by_day_attempt_destination_and_decision(
    state: Path, options: list[str], paths: list[str]
):
    assert [line["path"] for line in lines(state, *options)] == paths


def test_json_is_the_lines_as_they_are(state: Path):
    assert lines(state)[1]["bytes"] == 2_500_000
    assert lines(state)[1]["to"] == "https://plane.example.com"
    assert "to" not in lines(state)[2]


def test_a_summary_adds_up_by_task_request_and_destination(state: Path):
    rows = shown(state, "--summary").stdout.splitlines()
    assert rows[1].split() == [
        "orders.load",
        "1",
        "2500000",
        "https://plane.example.com",
        "POST",
        "/execution/xcoms/{key}",
    ]
    assert len(rows) == 6
    assert any(row.endswith("POST /attempts/{id}/finish") for row in rows)


def test_no_ledger_is_said(tmp_path: Path):
    found = shown(tmp_path)
    assert (found.exit_code, found.stderr.strip()) == (3, f"there is no ledger in {tmp_path / 'ledger'}")


@pytest.mark.looptime(resolution=1e-9)
async def test_what_a_running_agent_sent_can_be_shown_beside_it(agent: AgentUnderTest, plane: FakePlane):
    attempt = plane.queue(taking=0)
    async with agent:
        await plane.until(lambda: attempt.outcomes)
        found = lines(agent.agent.settings.state_dir, "--attempt", str(attempt.id), "--left")
    assert [str(line["path"]).rpartition("/")[2] for line in found] == ["run", "finish"]
    assert {line["to"] for line in found} == {"http://plane.test"}


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (7 * 10**15, "7000.0 TB")],
)
def test_sizes_are_for_people(number: int, text: str):
    assert ledger_lines.size(number) == text
