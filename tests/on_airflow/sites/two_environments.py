"""A site with two task environments: one agent, a queue for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from on_airflow.sites.site import DAGS, Planes, Site, one_agent, site_variables
from support.deployment import JOURNAL
from support.environments import virtualenv

QUEUE = "two-environments-other"


@contextmanager
def running(planes: Planes, home: Path) -> Iterator[Site]:
    name = "twofold"
    home.mkdir(parents=True)
    variables = site_variables(name, {"SITE_OTHER_QUEUE": QUEUE, "SITE_JOURNAL": str(home / "journal")})
    variables |= {"PYTHONPATH": f"{DAGS}:{JOURNAL}"}
    other = virtualenv(home / "other", packages={"shades": "2.5"})
    environments = [
        {"name": "main", "queues": ["default"], "env": variables},
        {"name": "other", "queues": [QUEUE], "interpreter": str(other), "env": variables},
    ]
    with one_agent(planes.plane(), home, name, options={"environments": environments}) as site:
        site.also = ran_in_the_other
        yield site


def ran_in_the_other(site: Site) -> None:
    site.run("promises")
    assert [each["prefix"] for each in site.journal("elsewhere")] == [str(site.home / "other")]
