"""The benchmark keeps what was measured, with its spread, and docs/benchmarks.md shows exactly that."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import page, report, secrets_page

ROOT = Path(__file__).parents[2]


def measured(tmp_path: Path, **options: object) -> report.Results:
    results = report.Results(tmp_path / "benchmarks.json", scale=1.0, **options)
    for rate in (20.0, 22.0, 30.0):
        results.add("wide", "tradewind", {"tasks/s": rate})
    results.add("wide", "local", {"tasks/s": 11.0})
    return results


def written(tmp_path: Path) -> dict[str, dict[str, dict[str, object]]]:
    measured(tmp_path).write()
    return json.loads((tmp_path / "benchmarks.json").read_text())


def test_the_table_has_median_spread_and_ratio(tmp_path: Path):
    line = measured(tmp_path).table(["tradewind", "local"]).splitlines()[-1]
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


def test_the_pages_figures_are_of_one_age(tmp_path: Path):
    """A run for the page drops what was measured before."""
    old = report.Results(tmp_path / "benchmarks.json", scale=1.0)
    old.add("burst", "local", {"tasks/s": 13.0})
    old.write()
    measured(tmp_path, keep=False, about={"commit": "abc"}).write()
    kept = json.loads((tmp_path / "benchmarks.json").read_text())
    assert set(kept) == {"about", "wide"}
    assert kept["about"] == {"commit": "abc"}


def test_the_page_says_where_executors_were_given_different_amounts_of_work(tmp_path: Path):
    summary = written(tmp_path)
    assert "--scale" not in page.shown(summary)
    summary["wide"]["local"]["scale"] = 0.1
    line = next(line for line in page.shown(summary).splitlines() if "--scale" in line)
    assert line == "| **not the same amount of work**: `--scale` | 1.0 | 0.1 |"


@pytest.mark.parametrize(
    ("rate", "row"),
    [
        (8.8, "| at least 2.5× | 2.5× | yes |"),
        (11.0, "| at least 2.5× | 2× | **no**: [why](adr/0019-what-two-and-a-half-times-would-need.md) |"),
    ],
)
def test_the_page_says_which_goals_are_reached(tmp_path: Path, rate: float, row: str):
    summary = written(tmp_path)
    summary["wide"]["local"]["tasks/s"]["median"] = rate  # type: ignore[index]
    rows = [line for line in page.shown(summary).splitlines() if "tasks per second, against" in line]
    assert [line.endswith(row) for line in rows] == [True], rows  # edge3 was not measured: no row


def test_the_dearest_secrets_backend_is_held_against_the_goal(tmp_path: Path):
    results = report.Results(tmp_path / "parts.json", scale=1.0)
    for backend, spent in (("Vault", 3.5), ("AWS", 5.5)):
        results.add("secrets", backend, {"on, ms: first read": spent})
    results.write()
    (tmp_path / "parts.md").write_text("<!-- figures -->\n<!-- end of figures -->\n")
    secrets_page.publish(tmp_path / "parts.json")
    lines = (tmp_path / "parts.md").read_text().splitlines()
    assert "takes 5 ms at most: 5.5 ms, **not reached**." in lines[-2]
    assert [line.split("|")[2] for line in lines if line.startswith(("| AWS", "| Vault"))] == [
        " 5.5 ",
        " 3.5 ",
    ]


def test_another_site_has_a_table_of_its_own(tmp_path: Path):
    summary = written(tmp_path)
    summary["wide (bare site)"] = summary["wide"]
    titles = [line for line in page.shown(summary).splitlines() if line.startswith("### wide")]
    assert titles == [
        "### wide: 1,000 mapped tasks at once",
        "### wide: 1,000 mapped tasks at once (bare site)",
    ]


def test_the_page_keeps_its_words_and_gets_the_figures(tmp_path: Path):
    document = tmp_path / "benchmarks.md"
    document.write_text("before\n<!-- figures -->\ngone\n<!-- end of figures -->\nafter\n")
    measured(tmp_path).write()
    page.publish(tmp_path / "benchmarks.json")
    text = document.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "22 (20–30)" in text and "gone" not in text
    assert (tmp_path / "benchmarks.svg").read_text().startswith("<svg")


def test_the_committed_pages_and_picture_are_made_of_the_committed_figures(tmp_path: Path):
    written = {"benchmarks.md": page, "benchmarks.svg": page, "benchmarks-of-parts.md": secrets_page}
    for name in ("benchmarks.json", "benchmarks-of-parts.json", *written):
        (tmp_path / name).write_text((ROOT / "docs" / name).read_text())
    page.publish(tmp_path / "benchmarks.json")
    secrets_page.publish(tmp_path / "benchmarks-of-parts.json")
    for name, module in written.items():
        assert (tmp_path / name).read_text() == (ROOT / "docs" / name).read_text(), (
            f"docs/{name} is stale: `python -m {module.__name__}` writes it"
        )


@pytest.mark.parametrize(
    ("figure", "shown"), [(27860.4, "27,860"), (139.04, "139"), (13.66, "13.7"), (0.0694, "0.0694"), (0, "0")]
)
def test_a_figure_has_three_digits_and_no_exponent(figure: float, shown: str):
    assert report.cell({"median": figure, "min": figure, "max": figure}) == shown


def test_agents_that_add_no_statement_are_said_to_add_none():
    figures = {
        "idle, statements/s": report.spread([58.8]),
        "without agents, statements/s": report.spread([62.6]),
    }
    [row] = [
        line
        for line in page.shown({"crowd": {"tradewind": {"scale": 1, **figures}}}).splitlines()
        if "add |" in line
    ]
    assert row.endswith("| at most 20 | 0 | yes |")
