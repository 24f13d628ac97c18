"""What a program in a task environment finds: the environment's own programs, and what the machine says of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tradewind_agent.environments import variables
from tradewind_agent.settings.passed_variables import PASSED

pytestmark = pytest.mark.process

SHOWS = "import json, os, shutil; print(json.dumps([dict(os.environ), shutil.which('dbt')]))"


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """Of a virtualenv with a program of its own."""
    command = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "tasks")]
    subprocess.run(command, check=True)
    program(tmp_path / "tasks" / "bin")
    return tmp_path / "tasks" / "bin" / "python"


def program(folder: Path) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    made = folder / "dbt"
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    return made


def seen(
    interpreter: Path, inherited: Mapping[str, str], own: Mapping[str, str] | None = None
) -> tuple[dict[str, str], str | None]:
    """What a process has that is started as hosts are: its environment, and where it finds `dbt`."""
    env = variables.for_process(inherited, passed=PASSED, own=own or {}, defaults={}, interpreter=interpreter)
    said = subprocess.run(
        [str(interpreter), "-c", SHOWS], env=env, capture_output=True, text=True, check=True
    )
    environ, found = json.loads(said.stdout)
    return environ, found


def test_a_task_finds_the_programs_of_its_own_interpreter_before_all_others(
    interpreter: Path, tmp_path: Path
):
    program(tmp_path / "agent" / "bin")
    for path in (f"{tmp_path}/agent/bin:/usr/bin", f"{tmp_path}/agent/bin:{interpreter.parent}:/usr/bin"):
        environ, found = seen(interpreter, {"PATH": path})
        assert found == str(interpreter.parent / "dbt")
        assert environ["PATH"] == f"{interpreter.parent}:{tmp_path}/agent/bin:/usr/bin"


def test_without_any_path_a_task_finds_its_own_programs_and_the_systems(interpreter: Path):
    environ, found = seen(interpreter, {})
    assert found == str(interpreter.parent / "dbt")
    assert environ["PATH"].endswith(os.defpath)


def test_an_order_that_the_owner_has_chosen_stays(interpreter: Path, tmp_path: Path):
    first = program(tmp_path / "tools")
    _, found = seen(interpreter, {}, {"PATH": f"{first.parent}:{interpreter.parent}"})
    assert found == str(first)
    _, found = seen(interpreter, {}, {"PATH": "/usr/bin"})
    assert found == str(interpreter.parent / "dbt")


def test_a_task_is_in_the_virtualenv_of_its_interpreter_and_not_in_the_agents(interpreter: Path):
    inherited = {"VIRTUAL_ENV": "/opt/agent", "PYTHONHOME": "/opt/agent", "CONDA_PREFIX": "/opt/conda"}
    environ, _ = seen(interpreter, inherited)
    assert environ["VIRTUAL_ENV"] == str(interpreter.parent.parent)
    assert not {"PYTHONHOME", "CONDA_PREFIX"} & environ.keys()
    assert seen(interpreter, {}, {"VIRTUAL_ENV": "/mine"})[0]["VIRTUAL_ENV"] == "/mine"


def test_an_interpreter_of_the_system_is_in_no_virtualenv(tmp_path: Path):
    made = variables.for_process(
        {"VIRTUAL_ENV": "/opt/agent"},
        passed=("*",),
        own={},
        defaults={},
        interpreter=tmp_path / "bin" / "python",
    )
    assert "VIRTUAL_ENV" not in made


@pytest.mark.parametrize(
    "name",
    [
        "HOSTNAME",  # of a container
        "PIP_INDEX_URL",
        "UV_INDEX_URL",
        "AZURE_CLIENT_ID",
        "AZURE_FEDERATED_TOKEN_FILE",
        "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER",
        "MSI_ENDPOINT",
        "VAULT_ADDR",
        "BAO_ADDR",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        "NODE_EXTRA_CA_CERTS",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "HTTPS_PROXY",
        "https_proxy",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "GIT_SSL_CAINFO",
        "CUDA_VISIBLE_DEVICES",
        "SNOWFLAKE_HOME",
        "DBT_PROFILES_DIR",
        "LD_PRELOAD_IS_NOT_THIS",
    ],
)
def test_what_the_machine_says_of_itself_reaches_a_task(interpreter: Path, name: str):
    environ, _ = seen(interpreter, {name: "said"})
    assert environ.get(name) == (None if name == "LD_PRELOAD_IS_NOT_THIS" else "said")
