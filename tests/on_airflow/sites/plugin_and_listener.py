"""A site with a plugin of its owner's, which brings a listener."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from on_airflow.sites.site import Planes, Site, one_agent

PLUGINS = Path(__file__).parent / "plugins"


@contextmanager
def running(planes: Planes, home: Path) -> Iterator[Site]:
    plugged = {"AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS)}
    with one_agent(planes.plane(), home, "listening", variables=plugged) as site:
        site.also = heard
        yield site


def heard(site: Site) -> None:
    """The listener hears of the start and the end of each try, where the task runs."""
    site.run("promises")
    found = {(each["task"], each["state"]) for each in site.journal("listener")}
    for task_id in ("numbers", "square", "total", "renders"):
        assert {(task_id, "running"), (task_id, "success")} <= found
    assert ("second_try", "failed") in found
