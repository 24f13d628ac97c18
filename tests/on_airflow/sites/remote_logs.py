"""A site that puts the logs of ended tasks in a storage, from which the plane reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from on_airflow.sites.site import Planes, Site, one_agent
from support.deployment import JOURNAL

MODULES = Path(__file__).parent / "log_storage"
CLASS = "site_log_storage.LOGGING_CONFIG"


@contextmanager
def running(planes: Planes, home: Path) -> Iterator[Site]:
    storage = home / "storage"
    logging = {"logging_config_class": CLASS}
    found = {"PYTHONPATH": str(MODULES), "SITE_LOG_STORAGE": str(storage)}
    plane = planes.plane("remote-logs", variables=found, options={"logging": logging})
    variables = {
        "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": CLASS,
        "PYTHONPATH": os.pathsep.join([str(MODULES), JOURNAL]),
        "SITE_LOG_STORAGE": str(storage),
    }
    with one_agent(plane, home, "stored", variables=variables) as site:
        site.also = lambda site: in_the_storage(site, storage)
        yield site


def in_the_storage(site: Site, storage: Path) -> None:
    run = site.run("promises")
    [kept] = storage.glob(f"dag_id={run.dag_id}/run_id=*/task_id=total/attempt=1.log")
    assert kept.stat().st_size
