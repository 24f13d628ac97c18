"""Who holds the plane's database writes what they like into it. A strict site runs its own code, and nothing else.

The plane is a real one with a real agent. The attacker changes rows: what a waiting task's trigger is, and which method of
its operator goes on. None of it does anything at the site, and the site's own Dags run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from support import directories, postgresql
from support.airflow_rest import AirflowRest, eventually
from support.deployment import run_site
from support.installed import plane_settings
from tradewind.embedded import plane
from tradewind.embedded.agent import Agent

DAGS = Path(__file__).parent / "dags_taken"

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]


@dataclass
class Taken:
    """A plane in the attacker's hands, and the site that it would like to have."""

    rest: AirflowRest
    database: str
    agent: Agent
    site: Path

    @property
    def victim(self) -> Path:
        """A file of the site that stays as it is."""
        return self.site / "victim"

    def change(self, statement: str, **values: str | None) -> None:
        engine = create_engine(self.database)
        try:
            with engine.begin() as connection:
                assert connection.execute(text(statement), values).rowcount == 1, statement
        finally:
            engine.dispose()

    def trigger(self, run_id: str, classpath: str, **arguments: object) -> None:
        """Another trigger in place of the one that the run's task waits for."""
        self.change(
            "update trigger set classpath = :classpath, kwargs = :kwargs, triggerer_id = null where id = "
            "(select trigger_id from task_instance where dag_id = 'waiting' and run_id = :run_id)",
            run_id=run_id,
            classpath=classpath,
            kwargs=json.dumps(arguments),
        )

    def resume(self, run_id: str, method: str, **arguments: object) -> None:
        """The run's task goes on with that method, as if its trigger had fired."""
        self.change(
            "update task_instance set state = 'scheduled', trigger_id = null, next_method = :method, "
            "next_kwargs = cast(:arguments as jsonb) where dag_id = 'waiting' and run_id = :run_id",
            run_id=run_id,
            method=method,
            arguments=json.dumps(arguments),
        )


TOUCHES = "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ macros.os.system('rm VICTIM') }}"

ATTACKS: dict[str, Callable[[Taken, str], None]] = {
    "a program as a trigger": lambda taken, run: taken.trigger(
        run, "subprocess.Popen", args=["rm", str(taken.victim)]
    ),
    "a trigger of Airflow's that deletes a file": lambda taken, run: taken.trigger(
        run, "airflow.providers.standard.triggers.file.FileDeleteTrigger", filepath=str(taken.victim), poke_interval=0.1
    ),
    "the trigger that it had, with arguments in clear": lambda taken, run: taken.trigger(
        run, "airflow.providers.standard.triggers.temporal.DateTimeTrigger", moment="2020-01-01T00:00:00+00:00"
    ),
    "a method that renders templates": lambda taken, run: taken.resume(
        run, "render_template_fields", context={"x": TOUCHES.replace("VICTIM", str(taken.victim))}
    ),
    "a method of the base class": lambda taken, run: taken.resume(run, "resume_execution", next_method="execute"),
    "its own method with arguments in clear": lambda taken, run: taken.resume(
        run, "execute_complete", event="2020-01-01T00:00:00+00:00"
    ),
}  # fmt: skip


@pytest.fixture
def taken() -> Iterator[Taken]:
    if not postgresql.available():
        pytest.skip("no PostgreSQL on this machine: `make postgresql` installs it")
    with directories.short() as home, postgresql.running() as server:
        options = {
            "core": {"load_examples": "False"},
            "tradewind": {"poll_seconds": "5", "sweep_seconds": "1", "policy": "open"},
        }
        settings = plane_settings(home=home / "plane", database=server.new_database(), options=options)
        with plane.Plane(settings) as running, running.client() as http:
            rest = AirflowRest(http)
            with run_site(home / "site", running, name="strict-1", dags=DAGS) as (agent, site):
                rest.wait_for_dags(["waiting", "good"])
                assert settings.database is not None
                one = Taken(rest, settings.database, agent, site)
                one.victim.write_text("here")
                yield one


def test_what_the_plane_writes_runs_nothing_at_a_strict_site(taken: Taken) -> None:
    runs = {named: taken.rest.trigger("waiting") for named in ATTACKS}
    for run_id in runs.values():
        taken.rest.wait_for_task("waiting", run_id, "waits", ["deferred"])
    taken.agent.process.stop(grace=60)  # what it runs already would go on
    for named, run_id in runs.items():
        ATTACKS[named](taken, run_id)
    taken.agent.process.start()
    states: dict[str, str | None] = {}

    def ended() -> bool:
        states.update(
            {named: taken.rest.task_state("waiting", run_id, "waits") for named, run_id in runs.items()}
        )
        return all(state in ("failed", "success") for state in states.values())

    eventually(ended, timeout=120, what=lambda: f"every task ends: {states}; {taken.agent.process.tail()}")
    assert set(states.values()) == {"failed"}, states
    assert taken.victim.read_text() == "here"
    assert taken.rest.run("good").state == "success"
    assert taken.agent.process.running
