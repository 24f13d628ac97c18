"""The doctor writes, reads and deletes an XCom, a value of state and a task's log in each store, and says as whom; or says what is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from backends.stores_of import STORES, AzureBlob, GoogleCloudStorage, Store, unavailable
from backends.test_bucket_values import identity, run, strict_moto, the_pages_policy
from support import pages
from support.cloud.aws import ACCOUNT, Moto
from support.cloud.server import Servers
from support.environments import of_cloud
from support.patience import stretched

__all__ = ["strict_moto"]

EXAMINED = """
from tradewind_runtime import doctor
told({said["check"]: said for said in doctor.stores(limits())})
os._exit(0)
"""

IDENTITY = {
    "s3": "the AWS key a… (explicit)",  # of a server with an address of its own, which AWS's STS does not know
    "azure": "storage account devstoreaccount1 with its key",
    "google": "site@a-project.iam.gserviceaccount.com",
}
"""As whom each store's settings sign in."""

BY = {
    "s3": "connection site_store",
    "azure": "connection site_store",
    "google": "the environment's own identity",
}


def examined(interpreter: Path, home: Path, storage: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """What the doctor says of each store: its verdict, its evidence and its remedy."""
    found: dict[str, Any] = run(interpreter, home, storage, variables, EXAMINED)
    return found


@pytest.mark.parametrize("kind", STORES, ids=lambda kind: kind.name)
def test_each_store_is_used_and_the_identity_named(
    kind: type[Store], servers: Servers, tmp_path: Path
) -> None:
    if problem := unavailable(kind):
        pytest.skip(problem)
    with kind(servers) as store:
        before = set(store.names())
        found = examined(store.interpreter, tmp_path, store.storage, store.variables())
        left = set(store.names()) - before
    for check in ("xcom", "state"):
        said = found[check]["evidence"]
        assert said.startswith(f"wrote, read and deleted an object in {store.storage}/{check}"), found
    said = found["task-logs"]["evidence"]
    assert said.startswith(f"wrote and read a log in {store.logs}, and deleted it"), found
    for check, said in ((check, each["evidence"]) for check, each in found.items()):
        assert IDENTITY[kind.name] in said and f"(by {BY[kind.name]})" in said, (check, said)
        assert "may not list" not in said
    assert left == set(), "the doctor leaves nothing behind"


@pytest.mark.parametrize("kind", STORES, ids=lambda kind: kind.name)
def test_a_store_that_is_away_is_named_with_what_to_do(
    kind: type[Store], servers: Servers, tmp_path: Path
) -> None:
    if problem := unavailable(kind):
        pytest.skip(problem)
    with kind(servers) as store, store.relay.away():
        found = examined(store.interpreter, tmp_path, store.storage, store.variables())
    assert {check: each["verdict"] for check, each in found.items()} == dict.fromkeys(found, "failed")
    for check, place in (("xcom", store.storage), ("state", store.storage), ("task-logs", store.logs)):
        assert place in found[check]["evidence"] and found[check]["remedy"], found


@pytest.mark.parametrize("kind", STORES, ids=lambda kind: kind.name)
def test_a_store_that_does_not_answer_is_given_up_and_named(
    kind: type[Store], servers: Servers, tmp_path: Path
) -> None:
    if problem := unavailable(kind):
        pytest.skip(problem)
    with kind(servers) as store, store.relay.silent():
        hasty = {**store.variables(), "SECOND": str(stretched(0.25))}
        found = examined(store.interpreter, tmp_path, store.storage, hasty)
    for check, step in (
        ("xcom", f"writing an object to {store.storage}/xcom"),
        ("state", f"writing an object to {store.storage}/state"),
        ("task-logs", f"writing a log to {store.logs}"),
    ):
        # 40 seconds, or what the checks before have left of the time of all.
        assert re.fullmatch(re.escape(step) + r": no answer in (40|[123]?\d) s", found[check]["evidence"]), (
            found
        )
    assert set(found) == {"xcom", "state", "task-logs"}
    for each in found.values():
        assert each["verdict"] == "failed" and "a private endpoint" in each["remedy"], found


def logging_to(bucket: str) -> dict[str, str]:
    return {
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": f"s3://{bucket}/logs",
    }


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ("s3:PutObject", "a log cannot be written to s3://my-site/logs"),
        ("s3:GetObject", "Could not verify previous log to append"),
        ("s3:ListBucket", "list"),
    ],
)
def test_a_right_to_logs_and_state_that_is_missing_is_named(
    strict_moto: Moto, tmp_path: Path, right: str, words: str
) -> None:
    policy = the_pages_policy()
    for each in policy["Statement"]:
        actions = each["Action"] if isinstance(each["Action"], list) else [each["Action"]]
        each["Action"] = [one for one in actions if one != right]
    policy["Statement"] = [each for each in policy["Statement"] if each["Action"]]
    variables = {**identity(strict_moto, policy), **logging_to("my-site")}
    found = examined(of_cloud("amazon"), tmp_path, "s3://my-site/values", variables)
    logs, state = found["task-logs"], found["state"]
    assert logs["verdict"] == "failed" and words in logs["evidence"] + logs["remedy"], found
    assert "Give this environment's identity the right" in logs["remedy"], found
    if right == "s3:ListBucket":
        assert "s3:ListBucket" in state["evidence"], found
    else:
        verb = {"s3:PutObject": "write", "s3:GetObject": "read"}[right]
        assert state["verdict"] == "failed" and f"the right to {verb} objects there" in state["remedy"], found


def examined_as_the_page_says(
    page: str, sample: int, interpreter: Path, home: Path, variables: Mapping[str, str]
) -> dict[str, str]:
    """What the doctor says of the stores of a page's sample, which needs nothing but an identity and a connection."""
    storage = pages.settings(page, sample)["storage"]
    every = {**variables, **pages.environment(page, sample)}
    return {check: said["evidence"] for check, said in examined(interpreter, home, storage, every).items()}


def test_aws_settings_of_the_page_are_enough_and_the_user_of_the_key_is_named(
    strict_moto: Moto, tmp_path: Path
) -> None:
    connection = {"AIRFLOW_CONN_SITE_STORE": '{"conn_type": "aws"}'}
    variables = {**identity(strict_moto, the_pages_policy()), **connection}
    found = examined_as_the_page_says("site-on-aws.md", 2, of_cloud("amazon"), tmp_path, variables)
    known = f", as arn:aws:iam::{ACCOUNT}:user/site (by "
    assert f"{known}the environment's own identity)" in found["xcom"], found
    assert f"{known}the environment's own identity)" in found["state"], found
    assert found["task-logs"].startswith("wrote and read a log in s3://my-site/logs"), found
    assert f"{known}connection site_store)" in found["task-logs"], found


@pytest.mark.parametrize("kind", [AzureBlob, GoogleCloudStorage], ids=lambda kind: kind.name)
def test_settings_of_the_page_are_enough(kind: type[Store], servers: Servers, tmp_path: Path) -> None:
    if problem := unavailable(kind):
        pytest.skip(problem)
    with kind(servers) as store:
        if kind is GoogleCloudStorage:
            url = f"{store.server.url}/storage/v1/b?project=a-project"
            assert httpx.post(url, json={"name": "my-site"}).status_code in (200, 409)
        logging = [name for name in store.variables() if "LOGGING" in name]
        variables = {name: value for name, value in store.variables().items() if name not in logging}
        page = {AzureBlob: "site-on-azure.md", GoogleCloudStorage: "site-on-google-cloud.md"}[kind]
        found = examined_as_the_page_says(page, 1, store.interpreter, tmp_path, variables)
    assert set(found) == {"xcom", "state", "task-logs"}
    for check, said in found.items():
        assert said.startswith("wrote"), (check, said)
        assert "may not list" not in said, (check, said)
