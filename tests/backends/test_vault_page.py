"""The page about Vault, walked with the program `bao`: what its commands make is what its settings sign in with."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from backends import prepared
from support import pages
from support.cloud.openbao import ROOT_TOKEN, OpenBao
from support.cloud.server import program
from support.cloud.token_review import TokenReview
from support.environments import of_cloud

PAGE = "secrets-in-vault.md"
PASSWORD, LIMIT = "\u2026", "100"  # of the page's commands

READS = """
from tradewind_runtime.airflow import workloads
workloads.prepare()
if not os.fork():  # as a task, which a worker process forks
    from airflow.sdk import BaseHook, Variable
    told({
        "connection": tried(lambda: BaseHook.get_connection("warehouse").password),
        "variable": tried(Variable.get, "limit"),
        "missing": tried(BaseHook.get_connection, "missing"),
    })
    os._exit(0)
os.wait()
"""


@pytest.fixture
def bao(tmp_path: Path) -> Iterator[OpenBao]:
    """A server of its own: the page switches on ways to sign in, which another test may have switched on."""
    with OpenBao(tmp_path / "server") as made:
        (tmp_path / "airflow-site.hcl").write_text(pages.blocks(PAGE, "hcl")[0])
        yield made


def shell(bao: OpenBao, home: Path, commands: str) -> list[str]:
    """The lines that the commands print."""
    path = os.pathsep.join([str(program("bao").parent), os.environ["PATH"]])
    environ = {
        "PATH": path,
        "HOME": str(home),
        "BAO_ADDR": bao.url,
        "BAO_TOKEN": ROOT_TOKEN,
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(["bash", "-euc", commands], cwd=home, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def read(bao: OpenBao, home: Path, sample: int, variables: dict[str, str], **arguments: str) -> None:
    """A task gets the page's secrets by that sample of the page's settings."""
    environ = pages.environment(PAGE, sample)
    kwargs = {**json.loads(environ["AIRFLOW__SECRETS__BACKEND_KWARGS"]), "url": bao.url, **arguments}
    environ = {**environ, "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(kwargs), **variables}
    found = prepared.run(of_cloud("hashicorp"), home / "airflow", "", environ, READS)
    assert found["connection"] == [PASSWORD, ""], found
    assert found["variable"] == [LIMIT, ""], found
    assert found["missing"][0] == "AirflowNotFoundException", found


def test_the_pages_commands_make_what_its_settings_sign_in_with(bao: OpenBao, tmp_path: Path) -> None:
    secrets, policy, kubernetes, approle, token = pages.blocks(PAGE, "shell")
    shell(bao, tmp_path, secrets)
    shell(bao, tmp_path, policy)

    (tmp_path / "token").write_text(shell(bao, tmp_path, token)[-1])
    read(bao, tmp_path, 2, {}, token_path=str(tmp_path / "token"))

    secret = shell(bao, tmp_path, approle)[-1]
    read(bao, tmp_path, 1, {"AIRFLOW__SECRETS__BACKEND_KWARG__SECRET_ID": secret})

    with TokenReview() as reviews:
        enable, config, role = kubernetes.split("bao ")[1:]
        assert config.startswith("write auth/kubernetes/config kubernetes_host=")
        shell(bao, tmp_path, f"bao {enable}")
        elsewhere = {
            "kubernetes_host": reviews.url,
            "token_reviewer_jwt": "of-the-vault",
            "kubernetes_ca_cert": Path(certifi.where()).read_text(),  # the reviews are answered without TLS
        }
        bao.ask("POST", "auth/kubernetes/config", elsewhere)
        shell(bao, tmp_path, f"bao {role}")
        (tmp_path / "jwt").write_text(reviews.new_token())
        read(bao, tmp_path, 0, {}, kubernetes_jwt_path=str(tmp_path / "jwt"))
