"""Tokens of Vault with a short time to live, at a process that goes on reading: they are renewed, or replaced by a new sign-in."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.cloud.openbao import OpenBao
from support.cloud.server import Servers
from support.environments import of_cloud
from tradewind.embedded.processes import wait_until

READS = """
import json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # where its log goes
def told(value):
    print(json.dumps(value), file=answers, flush=True)
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure(component="triggerer", agent_name="a", gateway="/g", secret=""))
from airflow.sdk.configuration import ensure_secrets_loaded
from airflow.sdk.execution_time.secrets import DEFAULT_SECRETS_SEARCH_PATH_WORKERS
from tradewind_runtime.airflow import token_renewal
told("ready")  # a token is made now, and has not expired when it is read
if os.environ.get("RENEWS"):
    sys.stdin.readline()
    told(token_renewal.start())
[backend, *_] = ensure_secrets_loaded(default_backends=DEFAULT_SECRETS_SEARCH_PATH_WORKERS)
for _ in sys.stdin:
    try:
        found = backend.get_variable("limit")
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    told(found)
"""
TTL = 5


class Reader:
    """A process of a site, which reads the variable `limit` whenever it is asked to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def told(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process ended"
        return json.loads(line)

    def reads(self) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self.told()


@contextmanager
def reading(bao: OpenBao, home: Path, arguments: dict[str, str], **variables: str) -> Iterator[Reader]:
    kwargs = {"url": bao.url, "mount_point": "secret", "variables_path": "airflow/variables", **arguments}
    environ = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__SECRETS__BACKEND": "airflow.providers.hashicorp.secrets.vault.VaultBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(kwargs),
        **variables,
    }
    with (
        (home / "stderr").open("w") as told,
        subprocess.Popen(
            [str(of_cloud("hashicorp")), "-c", READS],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
        ) as process,
    ):
        reader = Reader(process)
        assert reader.told() == "ready"
        yield reader


@pytest.fixture
def bao(servers: Servers) -> OpenBao:
    made = servers.get(OpenBao)
    policy = 'path "secret/data/airflow/*" { capabilities = ["read"] }'
    made.ask("PUT", "sys/policies/acl/of-tokens", {"policy": policy})
    made.put("airflow/variables/limit", value="100")
    return made


def new_token(bao: OpenBao, **more: Any) -> dict[str, Any]:
    made = bao.ask("POST", "auth/token/create", {"policies": ["of-tokens"], "ttl": f"{TTL}s", **more})
    found: dict[str, Any] = made["auth"]
    return found


def about(bao: OpenBao, token: str) -> dict[str, Any] | None:
    """What the server knows of a token; None when it is no more."""
    answer = httpx.get(f"{bao.url}/v1/auth/token/lookup-self", headers={"X-Vault-Token": token})
    return answer.json()["data"] if answer.is_success else None


def renewed_until(bao: OpenBao, token: str, seconds: float) -> None:
    """Wait until the server has extended the token that far beyond its first time to live."""

    def extended() -> bool:
        known = about(bao, token)
        assert known is not None, "it has expired"
        return bool(known.get("last_renewal_time", 0) >= known["creation_time"] + seconds)

    wait_until(extended, timeout=60, what="the token is renewed")


def test_a_token_of_the_owners_is_renewed_for_as_long_as_the_process_runs(
    bao: OpenBao, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    with reading(bao, tmp_path, {"auth_type": "token", "token_path": str(file)}, RENEWS="yes") as reader:
        token = new_token(bao, period=f"{TTL}s")["client_token"]
        file.write_text(token)
        [renewal] = reader.reads()
        assert reader.reads() == "100"
        renewed_until(bao, token, 2 * TTL)
        assert reader.reads() == "100"
        assert "vault token renewal" in Path(f"/proc/{renewal}/cmdline").read_text()
    wait_until(lambda: not Path(f"/proc/{renewal}").exists(), timeout=20, what="it ends with its parent")
    wait_until(lambda: about(bao, token) is None, timeout=20, what="the token has expired")


def test_a_token_in_a_file_is_read_again_when_it_is_refused(bao: OpenBao, tmp_path: Path) -> None:
    file = tmp_path / "token"
    with reading(bao, tmp_path, {"auth_type": "token", "token_path": str(file)}) as reader:
        file.write_text(new_token(bao)["client_token"])
        assert reader.reads() == "100"
        old = file.read_text()
        wait_until(lambda: about(bao, old) is None, timeout=20, what="the token has expired")
        assert reader.reads().startswith("VaultError: Vault Authentication Error!")
        file.write_text(new_token(bao)["client_token"])
        assert reader.reads() == "100"


def test_a_role_signs_in_again_when_its_token_has_expired(bao: OpenBao, tmp_path: Path) -> None:
    if "approle/" not in bao.ask("GET", "sys/auth"):
        bao.ask("POST", "sys/auth/approle", {"type": "approle"})
    bao.ask("POST", "auth/approle/role/short", {"token_policies": "of-tokens", "token_ttl": f"{TTL}s"})
    role = bao.ask("GET", "auth/approle/role/short/role-id")["data"]["role_id"]
    secret = bao.ask("POST", "auth/approle/role/short/secret-id")["data"]["secret_id"]

    def accessors() -> set[str]:
        return set(bao.ask("LIST", "auth/token/accessors")["data"]["keys"])

    before = accessors()
    arguments = {"auth_type": "approle", "role_id": role, "secret_id": secret}
    with reading(bao, tmp_path, arguments) as reader:
        for _ in range(2):
            assert reader.reads() == "100"
            wait_until(lambda: accessors() <= before, timeout=30, what="its token has expired")
        assert reader.reads() == "100"


@pytest.mark.parametrize(
    ("more", "word"),
    [({"renewable": False}, "cannot be renewed"), ({"explicit_max_ttl": "1s"}, "is not renewed")],
)
def test_a_token_that_ends_is_told_of(bao: OpenBao, tmp_path: Path, more: dict[str, Any], word: str) -> None:
    file = tmp_path / "token"
    with reading(bao, tmp_path, {"auth_type": "token", "token_path": str(file)}, RENEWS="yes") as reader:
        token = new_token(bao, **more)["client_token"]
        file.write_text(token)
        reader.reads()
        wait_until(lambda: word in (tmp_path / "stderr").read_text(), timeout=30, what="it is told")
        assert token not in (tmp_path / "stderr").read_text()
