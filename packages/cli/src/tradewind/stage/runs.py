"""Some Dags as the plane sees them, over Airflow's own REST API: wait for them, start them, watch them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

_ENDED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class RunView:
    """How one Dag's run is at the moment."""

    dag_id: str
    run_id: str = ""  # empty: there is no run yet
    state: str = "waiting"
    done: int = 0  # task instances that ended well
    total: int = 0
    states: tuple[tuple[str, int], ...] = ()  # how many task instances are in which state

    @property
    def ended(self) -> bool:
        return self.state in _ENDED

    @property
    def succeeded(self) -> bool:
        return self.state == "success"


class Runs:
    """Runs of Dags on one plane: `triggered` by us, and `by_asset` once those have published.

    `http` is signed in and has the plane as its base.
    """

    def __init__(self, http: httpx.Client, *, triggered: Sequence[str], by_asset: Sequence[str] = ()) -> None:
        self._http = http
        self.triggered, self.by_asset = tuple(triggered), tuple(by_asset)
        self.all = (*self.triggered, *self.by_asset)

    def known(self) -> list[str]:
        """Every Dag that the plane has been sent."""
        return sorted(dag["dag_id"] for dag in self._get("/api/v2/dags", limit=100)["dags"])

    def missing(self) -> tuple[str, ...]:
        """Which of these Dags the plane has not been sent yet."""
        known = self.known()
        return tuple(dag_id for dag_id in self.all if dag_id not in known)

    def import_errors(self) -> dict[str, str]:
        """What the agent's dag processor found wrong, by file."""
        errors = self._get("/api/v2/importErrors", limit=100)["import_errors"]
        return {str(error["filename"]): str(error["stack_trace"]) for error in errors}

    def start(self) -> None:
        """Unpause every Dag, those that an asset starts first, then start a run of the others."""
        for dag_id in (*self.by_asset, *self.triggered):
            self._checked(self._http.patch(f"/api/v2/dags/{dag_id}", json={"is_paused": False}))
        for dag_id in self.triggered:
            self._checked(self._http.post(f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None}))

    def views(self) -> list[RunView]:
        """How every Dag's newest run is now."""
        return [self._view(dag_id) for dag_id in self.all]

    def failures(self) -> list[dict[str, Any]]:
        """The task instances that did not end well, as Airflow describes them."""
        found: list[dict[str, Any]] = []
        missing = self.missing()
        for view in [self._view(dag_id) for dag_id in self.all if dag_id not in missing]:
            if view.run_id:
                found += [
                    one for one in self._instances(view) if one["state"] in ("failed", "upstream_failed")
                ]
        return found

    def _view(self, dag_id: str) -> RunView:
        runs = self._get(f"/api/v2/dags/{dag_id}/dagRuns", order_by="-id", limit=1)["dag_runs"]
        if not runs:
            return RunView(dag_id)
        view = RunView(dag_id, run_id=runs[0]["dag_run_id"], state=runs[0]["state"])
        states = Counter(one["state"] or "scheduled" for one in self._instances(view))
        return RunView(
            dag_id,
            run_id=view.run_id,
            state=view.state,
            done=states["success"] + states["skipped"],
            total=states.total(),
            states=tuple(sorted(states.items())),
        )

    def _instances(self, view: RunView) -> list[dict[str, Any]]:
        path = f"/api/v2/dags/{view.dag_id}/dagRuns/{view.run_id}/taskInstances"
        instances: list[dict[str, Any]] = self._get(path, limit=100)["task_instances"]
        return instances

    def _get(self, path: str, **params: Any) -> dict[str, Any]:
        body: dict[str, Any] = self._checked(self._http.get(path, params=params)).json()
        return body

    @staticmethod
    def _checked(answer: httpx.Response) -> httpx.Response:
        if not answer.is_success:
            raise RuntimeError(
                f"the plane answered {answer.request.method} {answer.request.url.path} "
                f"with {answer.status_code}: {answer.text[:500]}"
            )
        return answer
