"""The same Dags at a site and under LocalExecutor: secrets in AWS Secrets Manager, values, state and logs in S3, by moto's server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backends.stores_of import BUCKET, S3
from support import pages
from support.airflow_rest import AirflowRest, Run, eventually
from support.cloud.aws import Moto
from support.cloud.server import Servers
from support.deployment import JOURNAL, run_site
from support.environments import with_extra
from support.installed import PLANES_DRIVERS
from tradewind.embedded.agent import local_bundle
from tradewind.embedded.plane import Plane, PlaneSettings

FOLDERS = [Path(__file__).parents[1] / name for name in ("dags", "dags_stores")]
NAME = "real"
DAGS = (f"{NAME}_everywhere", f"{NAME}_stored")
PASSWORD, LIMIT = "SECRET-of-the-warehouse", "SECRET-limit-of-100"


@dataclass
class Side:
    """One Airflow that has run the Dags."""

    rest: AirflowRest
    store: S3
    journal: Path
    runs: Mapping[str, Run]

    def wrote(self, event: str) -> dict[str, dict[str, Any]]:
        """What user code wrote down, by where. Without processes and times."""
        if not self.journal.exists():
            return {}
        lines = [json.loads(line) for line in self.journal.read_text().splitlines()]
        return {
            each["where"]: {key: value for key, value in each.items() if key not in ("pid", "at")}
            for each in lines
            if each["event"] == event
        }

    def log(self, which: str, task: str) -> str:
        """What a person reads on the log page."""
        run = self.runs[f"{NAME}_{which}"]
        path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task}/logs/1"
        return "\n".join(str(line["event"]) for line in self.rest.get(path)["content"])


@pytest.fixture(scope="package")
def store(servers: Servers) -> Iterator[S3]:
    """A bucket, and what the owner keeps in Secrets Manager: also the bucket's connection."""
    with S3(servers) as made:
        secrets = {
            "connections/warehouse": f"postgres://etl:{PASSWORD}@db.internal/dwh",
            "connections/site_store": json.dumps(made.connection),
            "variables/limit": LIMIT,
        }
        servers.get(Moto).calls(
            *(
                ("secretsmanager", "create_secret", {"Name": f"airflow/{name}", "SecretString": value})
                for name, value in secrets.items()
            )
        )
        yield made


def settings(store: S3, logs: str) -> dict[str, str]:
    """What both have: the page's secrets backend, and the bucket for logs."""
    return {
        **pages.environment("site-on-aws.md", 0),
        "AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES": "airflow.* pandas.*",
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": f"s3://{BUCKET}/{logs}",
        "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "site_store",
    }


def around(moto: Moto) -> dict[str, str]:
    """What the machine sets for the processes that run user code."""
    folders = os.pathsep.join([*map(str, FOLDERS), JOURNAL])
    return {**moto.environment(), "SITE_NAME": NAME, "PYTHONPATH": folders}


def run_the_dags(rest: AirflowRest, store: S3, journal: Path) -> Side:
    rest.wait_for_dags(DAGS, timeout=180)
    started = {dag_id: rest.trigger(dag_id) for dag_id in DAGS}
    runs = {dag_id: rest.wait_for_run(dag_id, run_id, timeout=240) for dag_id, run_id in started.items()}
    side = Side(rest, store, journal, runs)
    # callbacks may be called after their task has ended
    eventually(
        lambda: "callback" in side.wrote("asked") and "callback" in side.wrote("told"),
        timeout=60,
        what="the callbacks are called",
    )
    return side


@pytest.fixture(scope="package")
def at_the_site(servers: Servers, store: S3, plane: Plane, directory: Path) -> Iterator[Side]:
    """An agent under `strict`."""
    home = directory / NAME
    site = run_site(
        home,
        plane,
        name=NAME,
        dags=FOLDERS[0],
        tasks=store.interpreter,
        site={**around(servers.get(Moto)), **settings(store, "logs")},
        options={
            "storage": f"s3://site_store@{BUCKET}/values",
            "bundles": [local_bundle(f"{NAME}-{each.name}", each) for each in FOLDERS],
        },
    )
    with site, plane.client() as http:
        yield run_the_dags(AirflowRest(http), store, home / "journal")


@pytest.fixture(scope="package")
def under_local_executor(servers: Servers, store: S3, directory: Path) -> Iterator[Side]:
    """Airflow without Tradewind. It now and then fails a task that was deferred, because it hears of the deferral when the
    task is queued again; so what failed is run anew, on another plane.
    """
    for number in range(1, 4):
        with running_locally(directory / f"{NAME}-local-{number}", servers, store) as side:
            if number == 3 or all(run.state == "success" for run in side.runs.values()):
                yield side
                return


@contextmanager
def running_locally(home: Path, servers: Servers, store: S3) -> Iterator[Side]:
    journal = home / "journal"
    options: dict[str, dict[str, str]] = {
        "core": {
            "xcom_backend": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
            "parallelism": "4",
        },
        "common.io": {
            "xcom_objectstorage_path": f"s3://site_store@{BUCKET}/local",
            "xcom_objectstorage_threshold": "0",
            "state_store_objectstorage_path": f"s3://site_store@{BUCKET}/local-state",
        },
        "workers": {
            "state_store_backend": "airflow.providers.common.io.state_store.backend.StateStoreObjectStorageBackend"
        },
        "scheduler": {"scheduler_idle_sleep_time": "0.5"},
        "dag_processor": {
            "dag_bundle_config_list": json.dumps([local_bundle(each.name, each) for each in FOLDERS])
        },
    }
    for name, value in settings(store, "local-logs").items():
        _, section, key = name.lower().split("__")
        options.setdefault(section, {})[key] = value
    made = PlaneSettings(
        home=home,
        interpreter=with_extra("stock", (), "amazon", "apache-airflow", "pandas", "pyarrow", *PLANES_DRIVERS),
        stock=True,
        executor="LocalExecutor",
        options=options,
    )
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**around(servers.get(Moto)), "SITE_JOURNAL": str(journal)}.items():
            environment.setenv(name, value)
        with Plane(made) as plane, plane.client() as http:
            yield run_the_dags(AirflowRest(http), store, journal)
