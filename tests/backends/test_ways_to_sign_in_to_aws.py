"""Secrets Manager and Parameter Store, filled by the page's commands, with the actions of the page's policies, and each way in which an owner can sign in: by keys in the environment, by a
profile, by a role that is assumed, and by the fields of an AWS connection's extra."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends import prepared, rights
from support import pages
from support.cloud.aws import ACCOUNT, Moto
from support.environments import of_cloud

PAGE = "site-on-aws.md"
PASSWORD, LIMIT = "…", "100"  # of the page's commands
OF_THE_TEAM = "postgres://etl:of-the-team@db.internal"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/airflow-site"
SERVICES = {"secrets-manager": 0, "parameter-store": 1}
"""Which sample of the page, and which policy."""

READS = """
from tradewind_runtime.airflow import inspection, workloads
workloads.prepare()
found = {"doctor": tried(inspection.secrets_backends, ["warehouse"], ["limit"])}
if not os.fork():  # as a task, which a worker process forks
    from airflow.sdk import BaseHook, Variable
    found["connection"] = tried(lambda: BaseHook.get_connection("warehouse").password)
    found["variable"] = tried(Variable.get, "limit")
    found["missing"] = tried(BaseHook.get_connection, "missing")
    told(found)
    os._exit(0)
os.wait()
"""


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """Each service's user `site-…` may read what the page's policy names, `role-…` may assume the role that may."""
    home = tmp_path_factory.mktemp("moto")
    with rights.checked(home, bucket=False) as made:
        rights.walk(made, home)
        team = "airflow/of-a-team/connections/warehouse"
        made.calls(
            ("secretsmanager", "create_secret", {"Name": team, "SecretString": OF_THE_TEAM}),
            ("ssm", "put_parameter", {"Name": f"/{team}", "Value": OF_THE_TEAM, "Type": "SecureString"}),
        )
        yield made


@pytest.fixture(scope="module")
def described(moto: Moto) -> list[dict[str, Any]]:
    """What AWS tells of the page's instance profile and bucket, as long as the server answers anybody."""
    return moto.calls(
        ("iam", "get_instance_profile", {"InstanceProfileName": "airflow-site"}),
        ("s3", "get_public_access_block", {"Bucket": rights.BUCKET}),
        ("s3", "get_bucket_lifecycle_configuration", {"Bucket": rights.BUCKET}),
    )


@pytest.fixture(scope="module")
def keys(moto: Moto, described: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """The variables of a user who may read, and of one who may become the role that may."""
    policies = [
        json.loads(each)
        for each in pages.blocks(PAGE, "json")
        if "secretsmanager:" in each or "ssm:GetParameter" in each
    ]
    # moto checks the action of these services' requests, and not the secret
    both = {
        **policies[0],
        "Statement": [{**one, "Resource": "*"} for each in policies for one in each["Statement"]],
    }
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [{**assume, "Principal": {"AWS": "*"}}]}
    become = {"Version": "2012-10-17", "Statement": [{**assume, "Resource": ROLE}]}
    moto.calls(
        (
            "iam",
            "update_assume_role_policy",
            {"RoleName": "airflow-site", "PolicyDocument": json.dumps(trust)},
        ),
        (
            "iam",
            "put_role_policy",
            {"RoleName": "airflow-site", "PolicyName": "secrets", "PolicyDocument": json.dumps(both)},
        ),
    )
    found = {"reads": rights.key(moto, "site", both), "becomes": rights.key(moto, "plane", become)}
    rights.check(moto)
    return found


def read(
    home: Path, keys: dict[str, str], service: str, kwargs: dict[str, Any], **variables: str
) -> dict[str, list[str]]:
    """What the doctor says, and a task gets, with the page's sample and these arguments beside its own."""
    sample = pages.environment(PAGE, SERVICES[service])
    given = {**json.loads(sample["AIRFLOW__SECRETS__BACKEND_KWARGS"]), **kwargs}
    environ = {**sample, **keys, "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(given), **variables}
    found: dict[str, list[str]] = prepared.run(of_cloud("amazon"), home, "", environ, READS)
    return found


def holds(found: dict[str, list[str]], identity: str) -> None:
    assert found["connection"] == [PASSWORD, ""], str(found)
    assert found["variable"] == [LIMIT, ""], found
    assert identity in found["doctor"][0], found
    assert found["missing"][0] == "AirflowNotFoundException", found


USER, ASSUMED = f"arn:aws:iam::{ACCOUNT}:user/site", f"arn:aws:sts::{ACCOUNT}:assumed-role/airflow-site/"


def test_the_pages_commands_make_the_role_and_the_bucket(described: list[dict[str, Any]]) -> None:
    profile, bucket, rules = described
    assert [each["Arn"] for each in profile["InstanceProfile"]["Roles"]] == [ROLE]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert {each["ID"]: each.get("Expiration", {}).get("Days") for each in rules["Rules"]} == {
        "logs": 180, "values": 400, "rest": None,
    }  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
def test_by_keys_in_the_environment(moto: Moto, keys: Any, tmp_path: Path, service: str) -> None:
    holds(read(tmp_path, keys["reads"], service, {}), USER)


@pytest.mark.parametrize("service", SERVICES)
def test_by_a_role_that_is_assumed(moto: Moto, keys: Any, tmp_path: Path, service: str) -> None:
    holds(read(tmp_path, keys["becomes"], service, {"role_arn": ROLE}), ASSUMED)
    found = read(tmp_path, keys["becomes"], service, {})
    assert "the right to read this secret" in str(found["doctor"]), found


@pytest.mark.parametrize("service", SERVICES)
def test_by_a_profile(moto: Moto, keys: Any, tmp_path: Path, service: str) -> None:
    file = tmp_path / "credentials"
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    file.write_text("\n".join(["[site]", *(f"{name.lower()} = {keys['reads'][name]}" for name in names)]))
    where = {name: value for name, value in keys["reads"].items() if name not in names}
    found = read(tmp_path, where, service, {"profile_name": "site"}, AWS_SHARED_CREDENTIALS_FILE=str(file))
    holds(found, USER)


@pytest.mark.parametrize("service", SERVICES)
def test_by_the_fields_of_an_aws_connection(moto: Moto, keys: Any, tmp_path: Path, service: str) -> None:
    key = {name.lower(): keys["reads"][name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    extra = {
        "session_kwargs": key,
        "endpoint_url": moto.url,
        "config_kwargs": {"retries": {"max_attempts": 1}},
    }
    holds(read(tmp_path, {"AWS_ENDPOINT_URL_STS": moto.url}, service, extra), USER)


@pytest.mark.parametrize("service", SERVICES)
def test_prefixes_are_the_owners_and_a_kind_without_one_is_not_asked_for(
    moto: Moto, keys: Any, tmp_path: Path, service: str
) -> None:
    slash = "/" if service == "parameter-store" else ""
    other = {"connections_prefix": f"{slash}airflow/of-a-team/connections", "variables_prefix": None}
    environ = {**keys["reads"], "AIRFLOW_VAR_LIMIT": "of the environment"}
    found = read(tmp_path, environ, service, other)
    assert found["connection"] == ["of-the-team", ""], found
    assert found["variable"] == ["of the environment", ""], found
    outside = read(tmp_path, keys["reads"], service, {"connections_prefix": f"{slash}elsewhere"})
    assert "it is in none of" in str(outside["doctor"]), outside
