"""Airflow's REST API as a test uses it: what a person would click."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

ENDED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class Run:
    """A Dag run as it ended: its state and every task instance's."""

    dag_id: str
    run_id: str
    state: str
    tasks: Mapping[tuple[str, int], str | None]  # (task id, map index) → state
    tries: Mapping[tuple[str, int], int]

    def state_of(self, task_id: str, map_index: int = -1) -> str | None:
        return self.tasks[(task_id, map_index)]


class AirflowRest:
    """Signed-in client of one plane."""

    def __init__(self, client: httpx.Client) -> None:
        self.http = client

    def get(self, path: str, **params: Any) -> Any:
        answer = self.http.get(f"/api/v2{path}", params=params)
        answer.raise_for_status()
        return answer.json()

    def pages(self, path: str, name: str, **params: Any) -> list[dict[str, Any]]:
        """Everything of a list. What comes and goes between two pages may be in it twice or not at all."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(path, limit=100, offset=len(found), **params)
            found += page[name]
            if len(found) >= page["total_entries"] or not page[name]:
                return found

    def send(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(method, f"/api/v2{path}", json=body)
        if answer.is_error:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def dags(self) -> dict[str, dict[str, Any]]:
        pages = self.pages("/dags", "dags", order_by="dag_id", exclude_stale=True)
        return {dag["dag_id"]: dag for dag in pages}

    def wait_for_dags(self, dag_ids: Sequence[str], *, timeout: float = 90) -> None:
        eventually(
            lambda: set(dag_ids) <= self.dags().keys(),
            timeout=timeout,
            what=lambda: (
                f"missing Dags {set(dag_ids) - self.dags().keys()}; import errors: {self.import_errors()}"
            ),
        )

    def import_errors(self) -> list[dict[str, Any]]:
        return list(self.get("/importErrors", limit=100)["import_errors"])

    def unpause(self, dag_id: str) -> None:
        self.send("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, *, conf: Mapping[str, Any] | None = None, **more: Any) -> str:
        """Unpause and trigger; the run's id."""
        self.unpause(dag_id)
        body = {"logical_date": None, **({"conf": dict(conf)} if conf else {}), **more}
        return str(self.send("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return self.pages(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")

    def task_state(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str | None:
        for ti in self.task_instances(dag_id, run_id):
            if (ti["task_id"], ti["map_index"]) == (task_id, map_index):
                return ti["state"]
        return None

    def wait_for_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: Sequence[str],
        *,
        timeout: float = 60,
        map_index: int = -1,
    ) -> None:
        eventually(
            lambda: self.task_state(dag_id, run_id, task_id, map_index) in states,
            timeout=timeout,
            what=lambda: (
                f"{dag_id}.{task_id} is {self.task_state(dag_id, run_id, task_id, map_index)}, not in {states}"
            ),
        )

    def wait_for_run(self, dag_id: str, run_id: str, *, timeout: float = 120) -> Run:
        """The run once it has ended."""
        eventually(
            lambda: self.run_state(dag_id, run_id) in ENDED,
            timeout=timeout,
            what=lambda: f"{dag_id} {run_id} has not ended: {self.snapshot(dag_id, run_id)}",
        )
        return self.snapshot(dag_id, run_id)

    def snapshot(self, dag_id: str, run_id: str) -> Run:
        instances = self.task_instances(dag_id, run_id)
        return Run(
            dag_id=dag_id,
            run_id=run_id,
            state=self.run_state(dag_id, run_id),
            tasks={(ti["task_id"], ti["map_index"]): ti["state"] for ti in instances},
            tries={(ti["task_id"], ti["map_index"]): ti["try_number"] for ti in instances},
        )

    def run(self, dag_id: str, *, timeout: float = 120, **more: Any) -> Run:
        """Unpause, trigger, wait for the end."""
        return self.wait_for_run(dag_id, self.trigger(dag_id, **more), timeout=timeout)


def eventually(condition: Callable[[], bool], *, timeout: float, what: Callable[[], str] | str) -> None:
    """Ask again until it is true. Raises AssertionError with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what() if callable(what) else what}")
        time.sleep(0.2)
