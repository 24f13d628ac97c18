"""A plane with agents that come and go, as tests of faults use it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from faults.processes import gone
from support.airflow_rest import AirflowRest, Run
from support.deployment import new_token
from support.installed import agent_settings, plane_settings
from support.journal import Journal, Span
from support.patience import eventually, stretched
from support.postgresql import PostgreSQL
from tradewind.embedded import agent, plane

DAGS = Path(__file__).parent / "dags"
EVERY_DAG = ("work_1", "work_200", "again_1", "chain", "killed", "hangs_at_exit", "waits")

GRANT = rb"/(start|run) HTTP"
"""The requests an attempt is granted with: a task's first one, and the agent's own."""

in_full = pytest.mark.skipif(
    os.environ.get("TRADEWIND_TEST_FAULTS") != "all",
    reason="of the whole suite: make test-faults",
)
"""Marks what is too slow for `make test`."""


class Fleet:
    """One plane, its metadata database, a journal that all its agents' tasks write, and agents made on demand."""

    def __init__(self, running: plane.Plane, home: Path, server: PostgreSQL) -> None:
        self.plane = running
        self.home = home
        self.server = server
        self.journal = Journal(home / "journal")
        self._client = running.client()
        self.rest = AirflowRest(self._client)
        self._engine = sa.create_engine(str(running.settings.database), poolclass=sa.NullPool)
        self._stack: ExitStack | None = None
        self._made = 0
        self._names: dict[str, str] = {}  # what a test calls an agent → its name

    # ---- agents

    def agent(
        self,
        name: str = "",
        *,
        url: str = "",
        slots: int = 20,
        components: Sequence[str] = ("worker",),
        prefix: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        process_env: Mapping[str, str] | None = None,
        token: str = "",
        ready: bool = True,
        code: str = "",
        home: Path | None = None,
        **options: Any,
    ) -> agent.Agent:
        """A started agent that serves the queues default and patient, stopped when the test ends.

        `url` leads it through a proxy, `prefix` goes before its command, `process_env` is its own environment,
        `code` is Python to run in place of the agent's module.
        """
        assert self._stack is not None, "agents are made inside `of_one_test`"
        self._made += 1
        name = name or f"agent-{self._made}"
        made = self.make_agent(
            name, url=url, slots=slots, components=components, env=env, token=token, home=home, **options
        )
        if code:
            made.process.command[1:3] = ["-c", code]
        made.process.command[:0] = list(prefix)
        made.process.env.update(process_env or {})
        self._stack.callback(gone, made)
        made.configure()
        made.process.start()
        if ready:
            self.wait_healthy(name or "agent")
        return made

    def make_agent(
        self,
        name: str,
        *,
        url: str = "",
        slots: int = 20,
        components: Sequence[str] = ("worker",),
        env: Mapping[str, str] | None = None,
        token: str = "",
        home: Path | None = None,
        **options: Any,
    ) -> agent.Agent:
        full_name = self._names[name] = f"{name}-{self._made}"
        home = home or self.home / f"{self._made}-{name}"
        site = {
            "AIRFLOW_HOME": str(home / "airflow"),
            "SITE_JOURNAL": str(self.journal.path),
            "SITE_AGENT": name,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(DAGS), os.environ.get("PYTHONPATH")])),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            **(env or {}),
        }
        if (
            "state_dir" not in options
        ):  # agents of one site share a storage, as an owner of several sets it up
            # and a name for the Deployment, as proxies give them other addresses of it
            options = {"storage": str(self.home / "storage"), "deployment": "faults", **options}
        return agent.Agent(
            agent_settings(
                home=home,
                plane_url=url or self.plane.url,
                token=token or new_token(self.plane, full_name),
                name=full_name,
                dags=DAGS,
                components=components,
                options={"environments": [_environment(slots, site)], **options},
            )
        )

    def wait_healthy(self, name: str, *, timeout: float = 60) -> None:
        """Return once that agent polls and has room for work, or has ended its start otherwise."""
        eventually(
            lambda: any(row.room for row in self.sessions(name) if row.ended_at is None),
            timeout=timeout,
            what=lambda: f"agent {name} has room; its sessions: {self.sessions(name)}",
        )

    def ask(self, name: str, verb: str) -> None:
        """Ask the plane, as an operator, to `cordon`, `drain` or `resume` an agent."""
        (agent_id,) = {row.agent_id for row in self.sessions(name)}
        answer = self._client.post(f"/tradewind/v1/agents/{agent_id}/{verb}", json={"reason": "a test"})
        assert answer.is_success, answer.text

    # ---- runs

    def start(self, dag_id: str, *, seconds: float = 2.0) -> str:
        """Start a run whose tasks work for that long; its id."""
        return self.rest.trigger(dag_id, conf={"seconds": seconds})

    def finished(self, dag_id: str, run_id: str, *, timeout: float = 120) -> Run:
        return self.rest.wait_for_run(dag_id, run_id, timeout=stretched(timeout))

    def finished_with_restarts(self, dag_id: str, run_id: str, *, timeout: float = 150) -> Run:
        """As `finished`; processes of the plane that end meanwhile are started again, as whatever runs Airflow does."""

        def ended() -> bool:
            self.start_what_ended()
            row = self.query("SELECT state FROM dag_run WHERE run_id = :run_id", run_id=run_id)[0]
            return row.state in ("success", "failed")

        eventually(ended, timeout=timeout, what=lambda: f"{dag_id} {run_id} ended: {self.tries(run_id)}")
        self.plane.wait_ready()
        return self.finished(dag_id, run_id)

    def start_what_ended(self) -> None:
        for process in self.plane.all_processes:
            if not process.running:
                process.start()

    def spans(self, run_id: str) -> list[Span]:
        return self.journal.spans(run=run_id)

    # ---- the metadata database

    def query(self, statement: str, /, **parameters: Any) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return connection.execute(sa.text(statement), parameters).fetchall()

    def execute(self, statement: str, /, **parameters: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.text(statement), parameters)

    def sessions(self, name: str) -> Sequence[Any]:
        return self.query(
            "SELECT id, agent_id, name, json_array_length(room) AS room, opened_at, last_beat_at, ended_at, ended_how, findings, "
            "ended_reason FROM tradewind_session WHERE name = :name ORDER BY opened_at",
            name=self._names[name],
        )

    def attempts(self, run_id: str) -> Sequence[Any]:
        return self.query(
            "SELECT a.*, regexp_replace(s.name, '-[0-9]+$', '') AS agent FROM tradewind_attempt a LEFT JOIN tradewind_session s "
            "ON s.id = a.session_id WHERE a.run_id = :run_id ORDER BY a.created_at",
            run_id=run_id,
        )

    def live(self) -> Sequence[Any]:
        """Attempts that wait, are offered or run."""
        return self.query(
            "SELECT id, label, state FROM tradewind_attempt WHERE state IN ('queued', 'offered', 'running')"
        )

    def tries(self, run_id: str) -> dict[tuple[str, int], tuple[int, str | None]]:
        """(task, map index) → (tries used, state), as Airflow has it."""
        rows = self.query(
            "SELECT task_id, map_index, try_number, state FROM task_instance WHERE run_id = :run_id",
            run_id=run_id,
        )
        return {(row.task_id, row.map_index): (row.try_number, row.state) for row in rows}

    def reasons(self, run_id: str) -> list[str]:
        """What a person reads in the event log of the run's tasks."""
        rows = self.query(
            "SELECT extra FROM log WHERE run_id = :run_id AND extra IS NOT NULL ORDER BY id", run_id=run_id
        )
        return [row.extra for row in rows]

    def slots_are_back(self, name: str, slots: int = 20, *, timeout: float = 15) -> None:
        """Return once the agent's last poll said that all its slots are free."""

        def free() -> list[int]:
            rows = self.query(
                "SELECT room FROM tradewind_session WHERE name = :name AND ended_at IS NULL",
                name=self._names[name],
            )
            return [room["free"] for row in rows for room in row.room]

        eventually(
            lambda: free() == [slots], timeout=timeout, what=lambda: f"{slots} free slots, not {free()}"
        )

    @contextmanager
    def of_one_test(self) -> Iterator[Fleet]:
        """For one test: its agents, and its runs, are over after it."""
        with ExitStack() as stack:
            self._stack = stack
            try:
                yield self
            finally:
                self._end_runs()
        self._stack = None

    def _end_runs(self) -> None:
        rows = self.query("SELECT dag_id, run_id FROM dag_run WHERE state IN ('running', 'queued')")
        for row in rows:
            self.rest.send("PATCH", f"/dags/{row.dag_id}/dagRuns/{row.run_id}", {"state": "failed"})

    @property
    def lost_after(self) -> float:
        """Seconds of silence after which this plane gives an agent up."""
        options = self.plane.settings.options["tradewind"]
        return float(options.get("poll_seconds", 25)) * float(options.get("missed_beats", 3))

    def close(self) -> None:
        self._client.close()


@contextmanager
def run_plane(home: Path, server: PostgreSQL, options: Mapping[str, str], **more: Any) -> Iterator[Fleet]:
    """A plane on a database of its own."""
    home.mkdir(parents=True)
    airflow: dict[str, dict[str, str]] = {
        "scheduler": {"scheduler_idle_sleep_time": "0.5", "scheduler_heartbeat_sec": "2"},
        "tradewind": dict(options),
    }
    for section, values in more.pop("airflow", {}).items():
        airflow.setdefault(section, {}).update(values)
    settings = plane_settings(home=home / "plane", database=server.new_database(), options=airflow, **more)
    with plane.Plane(settings) as running:
        fleet = Fleet(running, home, server)
        try:
            yield fleet
        finally:
            fleet.close()


@contextmanager
def home_agent(fleet: Fleet) -> Iterator[None]:
    """An agent that parses the Dags and runs nothing, so that those that run may die."""
    with fleet.make_agent("parser", components=("dag_processor",)):
        fleet.rest.wait_for_dags(EVERY_DAG, timeout=stretched(90))
        yield


def _environment(slots: int, site: Mapping[str, str]) -> dict[str, Any]:
    return {"name": "default", "slots": slots, "queues": ["default", "patient"], "env": site}
