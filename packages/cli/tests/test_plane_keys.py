"""`tradewind plane`: keys that Airflow takes, made once and rotated without a loss."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
import sys
from typing import Any

from click.testing import CliRunner
from cryptography.fernet import Fernet, MultiFernet

from tradewind.cli import main


def run(*arguments: str, given: str = "") -> Any:
    return CliRunner().invoke(main, ["plane", *arguments], input=given)


def data_of(secret: str) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in json.loads(secret)["data"].items()}


def test_the_secret_has_the_keys_that_the_chart_of_a_plane_reads() -> None:
    made = run("keys", "--name", "prod-keys", "--namespace", "airflow").stdout
    assert json.loads(made)["metadata"] == {"name": "prod-keys", "namespace": "airflow"}
    data = data_of(made)
    assert sorted(data) == ["api-secret-key", "fernet-key", "jwt-secret"]
    Fernet(data["fernet-key"])  # raises when it is none
    assert len(base64.urlsafe_b64decode(data["jwt-secret"] + "==")) == 64
    assert len(set(data.values()) | set(data_of(run("keys").stdout).values())) == 6


def test_the_same_keys_are_environment_variables_without_kubernetes() -> None:
    made = dict(line.split("=", 1) for line in run("keys", "--as", "env").stdout.splitlines())
    assert sorted(made) == [
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW__CORE__FERNET_KEY",
    ]
    Fernet(made["AIRFLOW__CORE__FERNET_KEY"])


def test_a_rotated_secret_decrypts_what_it_did_and_encrypts_with_the_new_key() -> None:
    before = run("keys").stdout
    old = Fernet(data_of(before)["fernet-key"])
    once = run("rotate-fernet-key", given=before).stdout
    twice = run("rotate-fernet-key", given=once).stdout
    after = MultiFernet([Fernet(key) for key in data_of(twice)["fernet-key"].split(",")])
    assert after.decrypt(old.encrypt(b"a connection")) == b"a connection"
    assert Fernet(data_of(twice)["fernet-key"].split(",")[0]).decrypt(after.encrypt(b"another")) == b"another"
    left = ({k: v for k, v in data_of(one).items() if k != "fernet-key"} for one in (before, twice))
    assert next(left) == next(left)


def test_what_is_no_secret_with_keys_is_refused_without_a_word_of_it() -> None:
    for given in ("", "[]", '{"data": {}}', '{"data": {"fernet-key": 7}}'):
        result = run("rotate-fernet-key", given=given)
        assert result.exit_code == 2
        assert "not a Kubernetes Secret" in result.output
    broken = {"data": {"fernet-key": base64.b64encode(b"hunter2").decode()}}
    result = run("rotate-fernet-key", given=json.dumps(broken))
    assert result.exit_code == 2
    assert "is not 32 bytes" in result.output
    assert "hunter2" not in result.output


def test_keys_are_not_printed_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0), os.fdopen(theirs, "wb", buffering=0) as terminal:
        done = subprocess.run(
            [sys.executable, "-m", "tradewind", "plane", "keys"],
            stdout=terminal,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert done.returncode == 2
    assert b"pipe them to" in done.stderr
