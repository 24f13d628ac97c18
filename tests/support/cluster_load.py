"""Runs of the Dag `load` at a site of the test's cluster: each task writes when it begins and when it ends."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

from support.airflow_rest import Run
from support.cluster import wait
from support.cluster_site import Site


class Load:
    """One run of `load`: `count` tasks of `seconds` each."""

    def __init__(self, site: Site, *, count: int, seconds: int, running: int) -> None:
        """Start it, and wait until `running` of its tasks have begun."""
        self.site = site
        self.count = count
        self.run_id = site.rest.trigger("load", conf={"count": count, "seconds": seconds})
        wait(lambda: len(self.began) >= running, timeout=180, what=lambda: f"{self.snapshot()}")

    @property
    def began(self) -> Mapping[str, int]:
        """How often each task has begun, by its number."""
        return self._counted("began")

    @property
    def ended(self) -> Mapping[str, int]:
        return self._counted("ended")

    def _counted(self, word: str) -> Mapping[str, int]:
        return collections.Counter(
            number for said, run, number, _ in self.site.marks() if (said, run) == (word, self.run_id)
        )

    def snapshot(self) -> Run:
        return self.site.rest.snapshot("load", self.run_id)

    def done(self) -> Run:
        return self.site.rest.wait_for_run("load", self.run_id, timeout=400)

    def all_ran_once(self) -> None:
        done = self.done()
        assert done.state == "success", (done, self.site.cluster.about(self.site.name))
        once = {str(number): 1 for number in range(self.count)}
        assert (dict(self.began), dict(self.ended)) == (once, once)

    def events(self) -> str:
        """What the plane says about the run's tasks in Airflow's event log."""
        listed: list[dict[str, Any]] = self.site.rest.get(
            "/eventLogs", dag_id="load", run_id=self.run_id, limit=200
        )["event_logs"]
        return "\n".join(str(each["extra"]) for each in listed)
