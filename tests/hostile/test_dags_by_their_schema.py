"""Dags drawn from Airflow's own schema, stored for a site, and run by the scheduler of a real plane.

After each handful the scheduler still makes the runs of others, the API server still lists Dags, and neither has failed.

TRADEWIND_TEST_FUZZ=5000 TRADEWIND_TEST_SEED=3 make test-hostile ARGS="-s -k by_their_schema"    draws more, and others
"""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from support import directories, postgresql
from support.airflow_rest import AirflowRest, eventually
from support.deployment import new_token
from support.installed import plane_settings
from tradewind.embedded import plane
from tradewind_protocol import dags as dags_protocol
from tradewind_protocol import paths, versions

from .by_schema import CHANGES
from .dags import rich_dag
from .families.dags import each_day

DAGS = int(os.environ.get("TRADEWIND_TEST_FUZZ", "200"))
HANDFUL = 8
SEED = int(os.environ.get("TRADEWIND_TEST_SEED", "7"))
BUNDLE = "fuzzed"

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600 + 4 * DAGS)]


@dataclass
class Attacked:
    """A plane, and an agent's session that stores Dags in it."""

    plane: plane.Plane
    rest: AirflowRest
    agent: httpx.Client
    good: dict[str, Any]
    instance: str = field(default_factory=lambda: str(uuid4()))
    stored: Counter[str] = field(default_factory=Counter)
    number: int = 0

    def ask(self, path: str, body: Any) -> httpx.Response:
        content = json.dumps(body, default=str)
        answer = self.agent.post(paths.PREFIX + path, content=content)
        assert answer.status_code < 500 and answer.status_code not in (401, 403), answer.text[:500]
        return answer

    def stores(self, changes: list[Any]) -> str:
        """The id of the Dag that was sent; empty when the plane refused it."""
        self.number += 1
        whole = copy.deepcopy(self.good)
        dag = whole["dag"]
        each_day(dag)
        dag.update(start_date=1767225600.0, catchup=False, is_paused_upon_creation=False)
        for _, _, change in changes:
            change(dag)
        dag_id = f"fuzzed_{self.number}"
        dag.update(dag_id=dag_id, relative_fileloc=f"{dag_id}.py")
        file = {"path": f"{dag_id}.py", "content": uuid4().hex, "dags": [whole]}
        told = self.ask(dags_protocol.REPORT, {"instance": self.instance, "bundle": BUNDLE, "files": [file]})
        if told.status_code != 200 or told.json()["refused"]:
            self.stored["refused"] += 1
            return ""
        self.stored["stored"] += 1
        return dag_id

    def triggers(self, dag_id: str) -> None:
        answer = self.rest.http.post(f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None})
        self.stored[f"run {answer.status_code}"] += 1
        assert answer.status_code < 500, answer.text[:500]

    def goes_on(self, before: list[int]) -> None:
        """The scheduler decides about a new run of the good Dag, and is the process that it was."""
        run_id = self.rest.trigger("good")
        eventually(
            lambda: self.rest.run_state("good", run_id) == "running",
            timeout=60,
            what=lambda: f"the scheduler decides: {self.plane.schedulers[0].tail()}",
        )
        assert self.rest.get("/dags", limit=100)["total_entries"] >= 1
        assert self.pids() == before

    def pids(self) -> list[int]:
        return [one.pid for one in self.plane.all_processes if one.running]

    def failures(self) -> list[str]:
        """What the scheduler logged of its own failing."""
        text = "".join(one.log.read_text(errors="replace") for one in self.plane.schedulers)
        return [line[:500] for line in text.splitlines() if "Traceback" in line or "Exception when" in line]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    if not postgresql.available():
        pytest.skip("no PostgreSQL on this machine: `make postgresql` installs it")
    with directories.short() as home, postgresql.running() as server:
        options = {
            "core": {"load_examples": "False"},
            "tradewind": {"poll_seconds": "3600", "sweep_seconds": "1"},
        }
        made = plane_settings(home=home / "plane", database=server.new_database(), options=options)
        with plane.Plane(made) as running, running.client() as http:
            given = {
                versions.HEADER: str(versions.PROTOCOL),
                "Authorization": f"Bearer {new_token(running, 'fuzz', site='fuzz')}",
                "Content-Type": "application/json",
            }
            with httpx.Client(base_url=running.url, headers=given, timeout=60) as agent:
                session = agent.post(
                    paths.PREFIX + paths.SESSIONS,
                    content=json.dumps(
                        {
                            "agent_id": str(uuid4()), "agent_key": uuid4().hex, "instance": str(uuid4()), "name": "fuzz",
                            "components": ["worker", "dag_processor"], "bundles": [BUNDLE],
                            "environments": [{"name": "main", "queues": ["default"], "slots": 1}],
                        }
                    ),
                )  # fmt: skip
                assert session.is_success, session.text
                agent.headers["Authorization"] = f"Bearer {session.json()['session_token']}"
                one = Attacked(
                    running, AirflowRest(http), agent, rich_dag(tmp_path_factory.mktemp("rich"), BUNDLE)
                )
                claimed = one.ask(
                    dags_protocol.CLAIM, {"instance": one.instance, "bundles": [{"name": BUNDLE}]}
                )
                assert claimed.json()["bundles"][0]["role"] == "speaks", claimed.text
                good = copy.deepcopy(one.good)
                good["dag"].update(dag_id="good", relative_fileloc="good.py", max_active_runs=100_000)
                file = {"path": "good.py", "content": "600d", "dags": [good]}
                told = one.ask(
                    dags_protocol.REPORT, {"instance": one.instance, "bundle": BUNDLE, "files": [file]}
                )
                assert not told.json()["refused"], told.text
                one.rest.unpause("good")
                yield one
                print(f"\n{dict(one.stored)}, seed {SEED}")


@seed(SEED)
@settings(
    max_examples=max(1, DAGS // HANDFUL), deadline=None, phases=[Phase.generate], database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(handful=st.lists(CHANGES, min_size=HANDFUL, max_size=HANDFUL))
def test_the_scheduler_makes_runs_of_whatever_the_plane_stores(
    attacked: Attacked, handful: list[Any]
) -> None:
    before = attacked.pids()
    for dag_id in [attacked.stores(changes) for changes in handful]:
        if dag_id:
            attacked.triggers(dag_id)
    attacked.goes_on(before)
    assert not attacked.failures()


def test_many_were_stored_and_many_refused(attacked: Attacked) -> None:
    """What is refused always, or never, tells nothing."""
    assert attacked.stored["stored"] > DAGS / 20, attacked.stored
    assert attacked.stored["refused"] > DAGS / 20, attacked.stored
    made = sum(
        len(attacked.rest.get(f"/dags/{one}/dagRuns")["dag_runs"])
        for one in attacked.rest.dags()
        if one != "good"
    )
    assert made > DAGS / 20
