"""A site with two agents that share its bundle, its queue and the folder of its XCom values: neither does all the work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from on_airflow.sites.site import DAGS, Planes, Site, one_agent, site_variables
from support.deployment import run_site, site_key


@contextmanager
def running(planes: Planes, home: Path) -> Iterator[Site]:
    name, plane = "paired", planes.plane()
    # Each with the slots for one task, so that both are needed.
    shared = {
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": (home / "values").as_uri(),
        "SITE_JOURNAL": str(home / "journal"),
    }
    options = {"slots": 1, "site_key_file": site_key(home)}
    with one_agent(plane, home, name, variables=shared, options=options) as site:
        variables = site_variables(name, shared)
        second = run_site(
            home / "second",
            plane,
            name=f"{name}-second",
            bundle=name,
            dags=DAGS,
            site=variables,
            options=options,
        )
        with second:
            site.also = both_worked
            yield site


def both_worked(site: Site) -> None:
    run = site.run("promises")
    instances = site.rest.task_instances(run.dag_id, run.run_id)
    assert len({each["hostname"] for each in instances if each["hostname"]}) > 1
