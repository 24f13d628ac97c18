"""The doctor writes, reads and deletes an XCom, a value of state and a task's log in each store, and says as whom; or says what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from backends.stores_of import STORES, Store, unavailable
from backends.test_bucket_values import identity, run, strict_moto, the_pages_policy
from support.cloud.aws import ACCOUNT, Moto
from support.cloud.server import Servers
from support.environments import of_cloud

__all__ = ["strict_moto"]

EXAMINED = """
from tradewind_runtime.airflow import storage_inspection
told({check: tried(look) for check, look, _ in storage_inspection.checks()})
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
    """What the doctor says of each store: what it did, or the failure with its remedy."""
    found: dict[str, Any] = run(interpreter, home, storage, dict(variables), EXAMINED)
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
        said, words = found[check]
        assert said.startswith(f"wrote, read and deleted an object in {store.storage}/{check}"), (said, words)
    said, words = found["task-logs"]
    assert said.startswith(f"wrote and read a log in {store.logs}, and deleted it"), (said, words)
    for check, (said, _) in found.items():
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
    assert {check: failure for check, (failure, _) in found.items()} == dict.fromkeys(found, "StoreFailed")
    for check, place in (("xcom", store.storage), ("state", store.storage), ("task-logs", store.logs)):
        assert place in found[check][1], found


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
    kind, said = found["task-logs"]
    assert kind == "StoreFailed" and words in said and "Give this environment's identity the right" in said, (
        found
    )
    state, said = found["state"]
    if right == "s3:ListBucket":
        assert "s3:ListBucket" in state, found
    else:
        verb = {"s3:PutObject": "write", "s3:GetObject": "read"}[right]
        assert state == "StoreFailed" and f"the right to {verb} objects there" in said, found


def test_the_user_of_the_key_is_named(strict_moto: Moto, tmp_path: Path) -> None:
    variables = {**identity(strict_moto, the_pages_policy()), **logging_to("my-site")}
    found = examined(of_cloud("amazon"), tmp_path, "s3://my-site/values", variables)
    for check, (said, words) in found.items():
        assert f", as arn:aws:iam::{ACCOUNT}:user/site (by the environment's own identity)" in said, (
            check,
            said,
            words,
        )
