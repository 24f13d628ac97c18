"""What user code finds in its own process opens nothing but what the attempt itself may do."""

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


def test_a_task_cannot_speak_as_its_host(searching: Deployment) -> None:
    assert searching.rest.run("searching").state == "success"
    (searched,) = searching.journal("searched")
    assert set(searched["kinds"]) <= {"tw_local_"}, (
        "no token of the agent or of its session is in a task's process"
    )
    tried = searching.journal("tried")
    assert tried or not searched["found"]
    for attempt in tried:
        assert set(attempt["answers"].values()) <= {401, 403}, attempt
