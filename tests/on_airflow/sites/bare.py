"""A site as its owner finds it: no plugins, no secrets backend, connections and variables in the environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from on_airflow.sites.site import Planes, Site, one_agent


@contextmanager
def running(planes: Planes, home: Path) -> Iterator[Site]:
    with one_agent(planes.plane(), home, "bare") as site:
        yield site
