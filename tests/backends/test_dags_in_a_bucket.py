"""Dags of a site that are objects of a bucket: Airflow's own bundles for it, under `strict`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from backends.stores_of import BUCKET, S3, GoogleCloudStorage, Store
from support.airflow_rest import AirflowRest, eventually
from support.cloud.server import Servers
from support.deployment import JOURNAL, Deployment, run_site, site_key
from tradewind.embedded.plane import Plane

FLOW = """
import site_journal
from airflow.sdk import DAG, task

with DAG({dag_id!r}, schedule=None):

    @task
    def say():
        site_journal.write({dag_id!r}, version={version})

    say()
"""
BUNDLES: dict[type[Store], tuple[str, dict[str, str]]] = {
    S3: ("airflow.providers.amazon.aws.bundles.s3.S3DagBundle", {"aws_conn_id": "site_store"}),
    GoogleCloudStorage: (
        "airflow.providers.google.cloud.bundles.gcs.GCSDagBundle",
        {"gcp_conn_id": "site_store"},
    ),
}
QUICK = {
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
}


def put(store: Store, name: str, text: str) -> None:
    if isinstance(store, S3):
        store.python(f"{store._CLIENT}client.put_object(Bucket={BUCKET!r}, Key={name!r}, Body={text!r})")
        return
    where = f"{store.server.url}/upload/storage/v1/b/{BUCKET}/o"
    answer = httpx.post(where, params={"uploadType": "media", "name": name}, content=text.encode())
    assert answer.is_success, answer.text


def delete(store: Store, name: str) -> None:
    if isinstance(store, S3):
        store.python(f"{store._CLIENT}client.delete_object(Bucket={BUCKET!r}, Key={name!r})")
        return
    answer = httpx.delete(f"{store.server.url}/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}")
    assert answer.is_success, answer.text


@dataclass
class BucketSite(Deployment):
    """A site whose Dags are below `dags/` of a bucket."""

    store: Store

    def dag(self, which: str) -> str:
        return f"{self.store.name}_bucket_{which}"

    def put(self, which: str, version: int) -> None:
        put(self.store, f"dags/{which}.py", FLOW.format(dag_id=self.dag(which), version=version))

    def said(self, which: str) -> list[int]:
        return [entry["version"] for entry in self.journal(self.dag(which))]


@pytest.fixture(scope="module", params=list(BUNDLES), ids=lambda kind: kind.name)
def site(
    request: pytest.FixtureRequest, servers: Servers, plane: Plane, directory: Path
) -> Iterator[BucketSite]:
    classpath, connection = BUNDLES[request.param]
    with request.param(servers) as store, plane.client() as http:
        home = directory / f"bucket-{store.name}"
        bundle: dict[str, Any] = {
            "name": f"bucket-{store.name}",
            "classpath": classpath,
            "kwargs": {"bucket_name": BUCKET, "prefix": "dags/", "refresh_interval": 1, **connection},
        }
        started = run_site(
            home,
            plane,
            name=f"bucket-{store.name}",
            dags=None,
            tasks=store.interpreter,
            site={**store.variables(), **QUICK, "PYTHONPATH": JOURNAL},
            options={"bundles": [bundle], "site_key_file": site_key(home)},
        )
        rest = AirflowRest(http)
        put(store, "dags/first.py", FLOW.format(dag_id=f"{store.name}_bucket_first", version=1))
        with started as (agent, where):
            made = BucketSite(plane, agent, where, rest, store)
            rest.wait_for_dags([made.dag("first")], timeout=240)
            yield made


def test_a_dag_of_a_bucket_runs_and_a_changed_object_counts_for_the_next_run(site: BucketSite) -> None:
    assert site.rest.run(site.dag("first"), timeout=240).state == "success"
    assert site.said("first") == [1]
    site.put("first", 2)
    assert site.rest.run(site.dag("first"), timeout=240).state == "success"
    assert site.said("first") == [1, 2], "a task has what the bucket has"


def test_dags_of_objects_that_come_and_go_are_found_and_go_stale(site: BucketSite) -> None:
    site.put("second", 1)
    site.rest.wait_for_dags([site.dag("second")], timeout=120)
    delete(site.store, "dags/second.py")
    eventually(
        lambda: site.rest.get(f"/dags/{site.dag('second')}")["is_stale"],
        timeout=180,
        what="the Dag of the object is stale",
    )
    assert site.rest.get(f"/dags/{site.dag('first')}")["is_stale"] is False
