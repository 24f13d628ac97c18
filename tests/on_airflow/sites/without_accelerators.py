"""A site whose processes use nothing that only saves time or memory: every promise holds without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from on_airflow.sites.site import Planes, Site, one_agent


@contextmanager
def running(planes: Planes, home: Path) -> Iterator[Site]:
    options = {"accelerators": ["none"]}
    # without accelerators a supervisor sleeps for that long when its task has ended
    variables = {"AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1"}
    with one_agent(planes.plane(), home, "unaided", variables=variables, options=options) as site:
        site.also = none_is_on
        yield site


def none_is_on(site: Site) -> None:
    """The agent shows each accelerator, off."""
    site.run("promises")
    [written] = site.home.rglob("status.json")
    shown = {each["component"]: each["accelerators"] for each in json.loads(written.read_text())["hosts"]}
    assert shown["worker"] and shown["dag_processor"]
    assert all(reason for states in shown.values() for reason in states.values()), shown
