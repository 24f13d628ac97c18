"""With the same settings, the Dags end at a site under `strict` as they end under LocalExecutor."""

from __future__ import annotations

import pytest

from backends.real_site.conftest import Side

pytestmark = pytest.mark.timeout(900)


def test_the_tasks_end_the_same(at_the_site: Side, under_local_executor: Side) -> None:
    for dag_id, run in under_local_executor.runs.items():
        assert run.state == "success", run
        assert at_the_site.runs[dag_id].tasks == run.tasks
        assert at_the_site.runs[dag_id].tries == run.tries


@pytest.mark.parametrize("event", ["asked", "told"])
def test_user_code_sees_the_same(at_the_site: Side, under_local_executor: Side, event: str) -> None:
    assert at_the_site.wrote(event) == under_local_executor.wrote(event)
