"""With `[tradewind] reads = own` a task reads XComs of its own run and states of its own Dag, whatever else its site has."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from tradewind_provider.airflow.database import create_session
from tradewind_provider.settings import Reads, SettingsError, parse_reads
from tradewind_provider.store.tables import Attempt

from .conftest import Plane

OWN = parse_reads("own")


def requester(plane: Plane, session: str, ti_id: UUID, *, kind: str = "task") -> str:
    """An attempt of that task instance that knows its run, as the executor writes it."""
    header = plane.attempt(session, ti_id, kind=kind)
    row = plane.ti(ti_id)
    with create_session() as db:
        db.execute(
            update(Attempt)
            .where(Attempt.subject_id == ti_id)
            .values(dag_id=row.dag_id, run_id=row.run_id, task_id=row.task_id)
        )
    return header


async def asked(plane: Plane, mine: UUID, session: str, target: str, *, kind: str = "task") -> int:
    async with plane.http(session, requester(plane, session, mine, kind=kind)) as http:
        return (await http.get(target)).status_code


@pytest.mark.parametrize(
    ("reads", "status"),
    [(Reads(), 404), (OWN, 403), (parse_reads("own, etl"), 404), (parse_reads("own, x"), 403)],
)
async def test_xcoms_of_another_run_are_read_only_where_the_plane_says_so(
    airflow: Any, reads: Reads, status: int
) -> None:
    plane = Plane(airflow, reads=reads)
    session, mine, other = plane.session(), plane.task_instance("running"), plane.task_instance("running")
    assert await asked(plane, mine, session, f"/xcoms/etl/{plane.ti(mine).run_id}/extract/none") == 404
    assert await asked(plane, mine, session, f"/xcoms/etl/{plane.ti(other).run_id}/extract/none") == status


async def test_states_of_its_own_dag_are_read_and_not_those_of_another(airflow: Any) -> None:
    plane = Plane(airflow, reads=OWN)
    session, mine = plane.session(), plane.task_instance("running")
    assert await asked(plane, mine, session, "/task-instances/states?dag_id=etl") == 200
    assert await asked(plane, mine, session, "/task-instances/states?dag_id=other") == 403
    assert await asked(plane, mine, session, "/task-instances/states?dag_id=etl&dag_id=other") == 403


async def test_an_attempt_of_no_known_run_reads_nothing_beside_it(airflow: Any) -> None:
    plane = Plane(airflow, reads=OWN)
    session, mine = plane.session(), plane.task_instance("running")
    async with plane.http(session, plane.attempt(session, mine)) as http:
        answer = await http.get("/task-instances/states?dag_id=etl")
    assert answer.status_code == 403
    assert "[tradewind] reads" in answer.json()["remedy"]


@pytest.mark.parametrize("text", ["", "all", "site, etl", "own,", "own, , x"])
def test_a_setting_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="reads"):
        parse_reads(text)
