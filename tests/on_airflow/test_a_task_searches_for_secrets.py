"""User code finds no credential in its own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.deployment import Deployment, run_site

DAGS = Path(__file__).parent / "dags_searching"


@pytest.fixture(scope="module")
def searching(deployment: Deployment, directory: Path) -> Iterator[Deployment]:
    site = run_site(
        directory / "search",
        deployment.plane,
        name="search",
        bundle="searching",
        dags=DAGS,
        queues=("search",),
    )
    with site as (agent, home):
        deployment.rest.wait_for_dags(["searching"])
        yield Deployment(deployment.plane, agent, home, deployment.rest)


def test_a_task_finds_nobodys_credential_not_even_its_own(searching: Deployment) -> None:
    for _ in range(2):  # a process manager that has served one attempt may serve the next
        assert searching.rest.run("searching").state == "success"
    for searched in searching.journal("searched"):
        assert searched["planted"], "where one is, it is found"
        assert searched["others"] == 0
