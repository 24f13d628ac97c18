"""What people reported about Airflow 3 goes at a site with an agent as it goes under LocalExecutor, or better."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from reports import comparing, scenarios, sides
from reports.records import Record
from support import directories, postgresql

CHOSEN = os.environ.get("TRADEWIND_TEST_REPORTS", "").split(",")
"""Names of scenarios, for a person who works on some of them. Default: all."""

SCENARIOS = [
    each for each in scenarios.read_all() if CHOSEN == [""] or any(name in each.name for name in CHOSEN)
]

SITES = {each.name: each for each in sides.sites()}

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with directories.short() as made:
        yield made


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.PostgreSQL]:
    if not postgresql.available():
        pytest.skip("no PostgreSQL on this machine: `make postgresql` installs it")
    with postgresql.running() as started:
        yield started


@pytest.fixture(scope="module")
def local(directory: Path, server: postgresql.PostgreSQL) -> Mapping[str, Record]:
    """LocalExecutor now and then loses a task that was deferred for a short time: its event of the deferral meets the
    task that is queued again. So what did not end as stated is run anew.
    """
    left = SCENARIOS
    found: dict[str, Record] = {}
    for number in range(1, 4):
        found |= sides.under_local_executor(directory / f"local-{number}", server.new_database(), left)
        left = [each for each in left if comparing.wrong_ends(each, found[each.name], local=True)]
        if not left:
            break
    return found


@pytest.fixture(scope="module")
def remote(
    directory: Path, server: postgresql.PostgreSQL, local: Mapping[str, Record]
) -> Callable[[sides.Site], Mapping[str, Record]]:
    """The records of a site, made when they are asked for first: two planes at once would be slow on a small machine."""

    @cache
    def of(site: str) -> Mapping[str, Record]:
        chosen = sides.fitting(SITES[site], SCENARIOS)
        return sides.on_an_agent(directory / site, server.new_database(), SITES[site], chosen)

    return lambda site: of(site.name)


def test_there_are_forty_reports() -> None:
    assert CHOSEN != [""] or len(SCENARIOS) >= 40
    dags = [dag_id for each in SCENARIOS for dag_id in each.ends]
    assert len(dags) == len(set(dags)), "each Dag belongs to one scenario"


@pytest.mark.parametrize(
    ("site", "scenario"),
    [(site, each) for site in SITES.values() for each in sides.fitting(site, SCENARIOS)],
    ids=lambda each: each.name,
)
def test_it_goes_as_under_local_executor(
    site: sides.Site,
    scenario: scenarios.Scenario,
    local: Mapping[str, Record],
    remote: Callable[[sides.Site], Mapping[str, Record]],
) -> None:
    record = remote(site)[scenario.name]
    wrong = comparing.wrong_ends(scenario, record, local=False)
    wrong += [
        f"under LocalExecutor: {each}"
        for each in comparing.wrong_ends(scenario, local[scenario.name], local=True)
    ]
    found = comparing.differences(scenario, local[scenario.name], record, templates=not site.strict)
    assert not wrong + found, "\n".join(wrong + found)
