"""AWS that checks rights, with the bucket and the policies of the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from support import pages
from support.cloud.aws import REGION, Moto

BUCKET = "my-site"


FILES = {
    "trust.json": "sts:AssumeRoleWithWebIdentity",
    "secrets.json": "secretsmanager:",
    "lifecycle.json": "AbortIncompleteMultipartUpload",
}
"""What the page's commands name, and what is in the block that it says to save so."""


def walk(moto: Moto, home: Path) -> None:
    """Every command of the page, in its order."""
    for name, has in FILES.items():
        [text] = [each for each in pages.blocks("site-on-aws.md", "json") if has in each]
        (home / name).write_text(text)
    for commands in pages.blocks("site-on-aws.md", "shell"):
        moto.shell(commands, home)


@contextmanager
def checked(home: Path, *, bucket: bool = True) -> Iterator[Moto]:
    """A server of its own: the requests of other tests are anybody's."""
    moto = Moto(home)
    with moto:
        where = {"LocationConstraint": REGION}
        if bucket:
            moto.calls(("s3", "create_bucket", {"Bucket": BUCKET, "CreateBucketConfiguration": where}))
        moto.calls(
            ("iam", "create_user", {"UserName": "site"}),
            ("iam", "create_user", {"UserName": "plane"}),
        )
        yield moto


def identity(moto: Moto, policy: dict[str, Any]) -> dict[str, str]:
    """A key of the tasks' user with that policy. From now on the server checks rights."""
    found = key(moto, "site", policy)
    check(moto)
    return found


def key(moto: Moto, user: str, policy: dict[str, Any]) -> dict[str, str]:
    """A key of a user with that policy, as variables."""
    document = json.dumps(policy)
    made = moto.calls(
        ("iam", "put_user_policy", {"UserName": user, "PolicyName": user, "PolicyDocument": document}),
        ("iam", "create_access_key", {"UserName": user}),
    )[1]["AccessKey"]
    return {
        "AWS_ENDPOINT_URL": moto.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
    }


def check(moto: Moto) -> None:
    """From now on the server checks rights."""
    httpx.post(f"{moto.url}/moto-api/reset-auth", content="0").raise_for_status()


def the_pages_policy() -> dict[str, Any]:
    """Of the tasks."""
    [policy] = [each for each in pages.blocks("site-on-aws.md", "json") if "s3:PutObject" in each]
    found: dict[str, Any] = json.loads(policy)
    return found


def the_planes_policy() -> dict[str, Any]:
    """Of a plane that reads the logs itself."""
    every = pages.blocks("site-on-aws.md", "json")
    [policy] = [each for each in every if "s3:GetObject" in each and "s3:PutObject" not in each]
    found: dict[str, Any] = json.loads(policy)
    return found
