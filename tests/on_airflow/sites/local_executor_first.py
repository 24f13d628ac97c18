"""An Airflow that runs its own Dags on LocalExecutor, its first executor, and a site's beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from on_airflow.sites.site import DAGS, NAMES, Planes, Site, one_agent, site_variables
from support.airflow_rest import AirflowRest
from support.deployment import JOURNAL
from support.installed import environments
from tradewind.embedded.agent import local_bundle
from tradewind.embedded.plane import REMOTE_EXECUTOR, Plane

OWN = "local"


@contextmanager
def running(planes: Planes, home: Path) -> Iterator[Site]:
    with one_agent(_plane(planes), home, "beside") as site:
        site.also = ran_at_the_site
        yield site


def ran_at_the_site(site: Site) -> None:
    site.run("promises")
    assert [each["prefix"] for each in site.journal("elsewhere")] == [str(environments().tasks.parents[1])]


@contextmanager
def own(planes: Planes) -> Iterator[Site]:
    """The plane's own Dags, run by LocalExecutor: what all sites are compared with."""
    plane = _plane(planes)
    with plane.client() as http:
        rest = AirflowRest(http)
        rest.wait_for_dags([f"{OWN}_{each}" for each in NAMES])
        yield Site(OWN, rest, plane.home / "journal", plane.home)


def _plane(planes: Planes) -> Plane:
    home = planes.home_of("local-first")
    variables = site_variables(
        OWN, {"SITE_JOURNAL": str(home / "journal"), "PYTHONPATH": f"{DAGS}:{JOURNAL}"}
    )
    return planes.plane(
        "local-first",
        variables=variables,
        executor=f"LocalExecutor,{REMOTE_EXECUTOR}",
        stock=True,
        options={
            "core": {"parallelism": "4"},
            "dag_processor": {"dag_bundle_config_list": json.dumps([local_bundle("own", DAGS)])},
        },
    )
