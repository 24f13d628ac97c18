"""What people reported about Airflow 3 goes at a site with an agent as it goes under LocalExecutor, or better."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from reports import anew, comparing, scenarios, sides
from reports.records import Record
from support import directories, postgresql

SCENARIOS = scenarios.read_all()
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
def chosen(request: pytest.FixtureRequest) -> Sequence[scenarios.Scenario]:
    """Those whose tests are to be run: `-k` picks some."""
    asked = {
        item.callspec.params["scenario"].name
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    }
    return [each for each in SCENARIOS if each.name in asked]


@pytest.fixture(scope="module", autouse=True)
def hang_ups_end_a_process() -> Iterator[None]:
    """Under `nohup` LocalExecutor's tasks would ignore SIGHUP, as the tests do: it passes to what they start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="module")
def local(
    directory: Path, server: postgresql.PostgreSQL, chosen: Sequence[scenarios.Scenario], told: list[str]
) -> Mapping[str, Record]:
    """LocalExecutor now and then loses a task that was deferred for a short time: its event of the deferral meets the
    task that is queued again. On a busy machine it loses tries as they start.
    """
    found, faults = anew.under_local_executor(
        lambda number, left: sides.under_local_executor(
            directory / f"local-{number}", server.new_database(), left
        ),
        chosen,
    )
    told += faults
    return found


@pytest.fixture(scope="module")
def remote(
    directory: Path, server: postgresql.PostgreSQL, chosen: Sequence[scenarios.Scenario]
) -> Callable[[sides.Site], Mapping[str, Record]]:
    """The records of a site, made when they are asked for first: two planes at once would be slow on a small machine.
    A site that could not be started is not tried again.
    """
    made: dict[str, Mapping[str, Record] | Exception] = {}

    def of(site: sides.Site) -> Mapping[str, Record]:
        if site.name not in made:
            try:
                made[site.name] = sides.on_an_agent(
                    directory / site.name, server.new_database(), site, sides.fitting(site, chosen)
                )
            except Exception as problem:
                made[site.name] = problem
        found = made[site.name]
        if isinstance(found, Exception):
            raise found
        return found

    return of


def test_there_are_forty_reports() -> None:
    assert len(SCENARIOS) >= 40
    dags = [dag_id for each in SCENARIOS for dag_id in each.ends]
    assert len(dags) == len(set(dags)), "each Dag belongs to one scenario"


EACH = pytest.mark.parametrize(
    ("site", "scenario"),
    [(site, each) for site in SITES.values() for each in sides.fitting(site, SCENARIOS)],
    ids=lambda each: each.name,
)


@EACH
def test_it_ends_as_the_report_asks_for(
    site: sides.Site,
    scenario: scenarios.Scenario,
    remote: Callable[[sides.Site], Mapping[str, Record]],
) -> None:
    wrong = comparing.wrong_ends(scenario, remote(site)[scenario.name], local=False)
    assert not wrong, "\n".join(wrong)


@EACH
def test_it_goes_as_under_local_executor(
    site: sides.Site,
    scenario: scenarios.Scenario,
    remote: Callable[[sides.Site], Mapping[str, Record]],
    local: Mapping[str, Record],
) -> None:
    wrong = [
        f"under LocalExecutor: {each}"
        for each in comparing.wrong_ends(scenario, local[scenario.name], local=True)
    ]
    record = remote(site)[scenario.name]
    found = comparing.differences(scenario, local[scenario.name], record, templates=not site.strict)
    assert not wrong + found, "\n".join(wrong + found)
