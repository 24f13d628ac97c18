"""The page's settings, word for word under AWS's own names, with the identity that a machine has: an EC2 instance's profile, the role of an
ECS task, and a pod's association at EKS. moto gives the role's keys and checks its rights; the metadata addresses are the tests'."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from backends import prepared, rights
from support import network, pages
from support.cloud.aws import ACCOUNT, Moto
from support.cloud.metadata import Ec2, EcsTask, EksPodIdentity, Metadata
from support.cloud.namespace import Cloud
from support.environments import of_cloud

PAGE = "site-on-aws.md"
SERVICES = {"secrets-manager": 0, "parameter-store": 1}
STORES = 2
"""Which samples of the page's settings."""
ROLE = "airflow-site"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
PASSWORD, LIMIT = "…", "100"  # of the page's commands
NAMES = [f"{name}.eu-west-1.amazonaws.com" for name in ("secretsmanager", "ssm", "sts", "s3", "my-site.s3")]

pytestmark = pytest.mark.skipif(
    not network.namespaces_available(), reason="network namespaces need root and a kernel with veth"
)


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """With the bucket, secrets and parameters of the page, and the role that its policies are of."""
    home = tmp_path_factory.mktemp("moto")
    with rights.checked(home, bucket=False) as made:
        rights.walk(made, home)
        connection = '{"conn_type": "aws"}'
        name = "airflow/connections/site_store"
        made.calls(
            ("secretsmanager", "create_secret", {"Name": name, "SecretString": connection}),
            ("ssm", "put_parameter", {"Name": f"/{name}", "Value": connection, "Type": "SecureString"}),
        )
        yield made


@pytest.fixture(scope="module")
def credentials(moto: Moto) -> Mapping[str, Mapping[str, str]]:
    """Of a session of the role, by its name: what a metadata address tells. From now on the server checks rights."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    policy = {"Version": "2012-10-17", "Statement": list(_statements())}
    moto.calls(
        ("iam", "update_assume_role_policy", {"RoleName": ROLE, "PolicyDocument": json.dumps(document)}),
        (
            "iam",
            "put_role_policy",
            {"RoleName": ROLE, "PolicyName": "site", "PolicyDocument": json.dumps(policy)},
        ),
    )
    found = {}
    for session in ("i-0123456789abcdef0", "a-task", "a-pod"):
        asked = {"RoleArn": ROLE_ARN, "RoleSessionName": session}
        told = moto.calls(("sts", "assume_role", asked))[0]["Credentials"]
        names = {"Token": "SessionToken", "Expiration": "Expiration"}
        names |= {name: name for name in ("AccessKeyId", "SecretAccessKey")}
        found[session] = {name: told[of] for name, of in names.items()}
        found[session]["Expiration"] = told["Expiration"].replace(" ", "T").replace("+00:00", "Z")
    rights.check(moto)
    return found


def _statements() -> Iterator[dict[str, Any]]:
    """Of the page's policies of tasks. moto checks the action of these services' requests, and not the secret."""
    for text in pages.blocks(PAGE, "json"):
        if "s3:PutObject" in text:
            yield from json.loads(text)["Statement"]
        elif "secretsmanager:" in text or "ssm:GetParameter" in text:
            yield from ({**one, "Resource": "*"} for one in json.loads(text)["Statement"])


@pytest.fixture(scope="module")
def cloud(moto: Moto, directory: Path) -> Iterator[Cloud]:
    with Cloud(directory / "machines-of-aws", dict.fromkeys(NAMES, moto.url)) as made:
        yield made


def used(
    cloud: Cloud, home: Path, machine: Metadata, identity: Mapping[str, str], service: str = "secrets-manager"
) -> Any:
    """What the doctor and a task tell in the page's environment, on that machine."""
    variables = {
        **cloud.environment(),
        **pages.environment(PAGE, SERVICES[service]),
        **pages.environment(PAGE, STORES),
        **identity,
    }
    with machine.serve_in(cloud.place):
        storage = pages.settings(PAGE, STORES)["storage"]
        within = cloud.place.command()
        return prepared.run(of_cloud("amazon"), home, storage, variables, prepared.USED, within=within)


def holds(found: dict[str, list[str]], session: str, by: str) -> None:
    assert found["connection"] == [PASSWORD, ""], json.dumps(found)
    assert found["variable"] == [LIMIT, ""], json.dumps(found)
    assert found["value"] == [{"of": "the task"}, ""], json.dumps(found)
    assumed = f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/{session}"
    assert f"{assumed} (by {by})" in found["secrets"][0], json.dumps(found)
    for check in ("xcom", "state", "task-logs"):
        assert found[check][0].startswith("wrote"), json.dumps(found)
        assert assumed in found[check][0], json.dumps(found)


@pytest.mark.parametrize("service", SERVICES)
def test_by_the_profile_of_an_instance(cloud: Cloud, credentials: Any, tmp_path: Path, service: str) -> None:
    machine = Ec2(ROLE, credentials["i-0123456789abcdef0"])
    holds(used(cloud, tmp_path, machine, {}, service), "i-0123456789abcdef0", "iam-role")
    assert ("PUT", "/latest/api/token") in machine.asked


def test_by_the_role_of_an_ecs_task(cloud: Cloud, credentials: Any, tmp_path: Path) -> None:
    machine = EcsTask(ROLE_ARN, credentials["a-task"])
    identity = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": machine.path}
    holds(used(cloud, tmp_path, machine, identity), "a-task", "container-role")


def test_by_the_association_of_a_pod(cloud: Cloud, credentials: Any, tmp_path: Path) -> None:
    token = tmp_path / "eks-pod-identity-token"
    token.write_text("of-the-pod")
    machine = EksPodIdentity("of-the-pod", credentials["a-pod"])
    identity = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": machine.url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
    }
    holds(used(cloud, tmp_path, machine, identity), "a-pod", "container-role")


def test_an_instance_without_a_profile_has_no_identity_and_the_doctor_says_so(
    cloud: Cloud, moto: Moto, tmp_path: Path
) -> None:
    found = used(cloud, tmp_path, Ec2("", {}), {})
    assert "Unable to locate credentials" in str(found["secrets"]), json.dumps(found)
    for check in ("xcom", "state", "task-logs"):
        assert not found[check][0].startswith("wrote") and found[check][1], json.dumps(found)
