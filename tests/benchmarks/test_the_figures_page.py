"""The benchmark's table says what was measured, with its spread, and how one executor stands to another."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import report


def measured(tmp_path: Path) -> report.Results:
    results = report.Results(tmp_path / "benchmarks.json", scale=1.0)
    for rate in (20.0, 22.0, 30.0):
        results.add("wide", "tradewind", {"tasks/s": rate})
    results.add("wide", "local", {"tasks/s": 11.0})
    return results


def test_the_table_has_median_spread_and_ratio(tmp_path: Path):
    line = measured(tmp_path).table(["wide"], ["tradewind", "local"]).splitlines()[-1]
    assert line == "| wide | tasks/s | 22 (20–30) | 11 | 2.00× local |"


def test_what_is_measured_again_replaces_what_was_there_and_nothing_else(tmp_path: Path):
    measured(tmp_path).write()
    again = report.Results(tmp_path / "benchmarks.json", scale=0.5)
    again.add("wide", "local", {"tasks/s": 12.0})
    again.write()
    kept = json.loads((tmp_path / "benchmarks.json").read_text())["wide"]
    assert kept["local"] == {
        "scale": 0.5,
        "tasks/s": {"median": 12.0, "min": 12.0, "max": 12.0, "repeats": 1},
    }
    assert kept["tradewind"]["tasks/s"]["median"] == 22.0


def test_the_page_says_where_executors_were_given_different_amounts_of_work(tmp_path: Path):
    measured(tmp_path).write()
    summary = json.loads((tmp_path / "benchmarks.json").read_text())
    assert "--scale" not in report.shown(summary)
    summary["wide"]["local"]["scale"] = 0.1
    line = next(line for line in report.shown(summary).splitlines() if "--scale" in line)
    assert line == "| wide | **not the same amount of work**: `--scale` | 1.0 | 0.1 | – | – | – |"


def test_the_page_keeps_its_words_and_gets_the_figures(tmp_path: Path):
    page = tmp_path / "benchmarks.md"
    page.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")
    results = measured(tmp_path)
    results.write()
    report.publish(tmp_path / "benchmarks.json")
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "22 (20–30)" in text and "old" not in text
    assert (tmp_path / "benchmarks.svg").read_text().startswith("<svg")
