"""Metadata, constraints and pages name the same releases of Airflow: the first and the newest one of each minor are tested."""

from __future__ import annotations

import re

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from support.installed import ROOT

OLDEST = ROOT / "tests" / "on_airflow" / "oldest"
LOCKS = {
    "3.2": (OLDEST / "airflow-3.2.txt", ROOT / "constraints-airflow-3.2.txt"),
    "3.3": (OLDEST / "airflow-3.3.txt", ROOT / "constraints.txt"),
}
"""Of each minor, what its first and its newest release are tested with."""
ROWS = {"plane": ("provider", ["3.3"]), "worker": ("runtime", ["3.2", "3.3"])}
"""Rows of the table of versions: the distribution, and the minors it is for."""


def releases(minors: list[str]) -> list[Version]:
    texts = [path.read_text() for minor in minors for path in LOCKS[minor]]
    return [Version(re.findall(r"^apache-airflow-core==(\S+)", text, re.MULTILINE)[0]) for text in texts]


def declared(package: str) -> SpecifierSet:
    text = (ROOT / "packages" / package / "pyproject.toml").read_text()
    return SpecifierSet(re.findall(r'"apache-airflow-core([^"]+)"', text)[0])


def test_the_metadata_allow_what_is_tested_and_no_other_minor() -> None:
    for package, minors in ROWS.values():
        allowed = declared(package)
        assert all(version in allowed for version in releases(minors))
        assert Version(f"{minors[0]}.0") == releases(minors)[0], "the first release of the oldest minor"
        major, first = map(int, minors[0].split("."))
        last = int(minors[-1].split(".")[1])
        assert f"{major}.{first - 1}.99" not in allowed
        assert f"{major}.{last + 1}.0" not in allowed


def test_the_page_names_what_is_tested() -> None:
    page = (ROOT / "docs" / "reference" / "what-works.md").read_text()
    for row, (_, minors) in ROWS.items():
        [line] = re.findall(rf"^\| {row} \|.*$", page, re.MULTILINE)
        assert line.split("|")[3].strip() == ", ".join(str(version) for version in releases(minors))
