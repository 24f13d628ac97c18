"""What the doctor looks at on the agent's machine, and how the command ends."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner
from doctor_kit import an_examination, results

from support import prepared_hosts
from support.patience import stretched
from support.secrets_backend import local_files
from tradewind_agent.cli.main import main
from tradewind_agent.doctor import (
    disk,
    environments,
    examination,
    outbox,
    ports,
    running,
)
from tradewind_agent.doctor.examined import BackendReads
from tradewind_agent.monitoring import status
from tradewind_agent.state.outbox import Outbox
from tradewind_agent.testing import FakePlane
from tradewind_protocol.checks import Result, Verdict, failed
from tradewind_protocol.sessions import Policy
from tradewind_protocol.site import AboutToken

# ---- this machine


def interpreter(tmp_path: Path, script: str) -> Path:
    made = tmp_path / "python"
    made.write_text(f"#!/bin/sh\n{script}\n")
    made.chmod(0o755)
    return made


@pytest.mark.parametrize(
    ("script", "evidence", "remedy"),
    [
        (
            "echo 'No module named tradewind_runtime' >&2; exit 1",
            "No module named",
            "pip install tradewind-runtime",
        ),
        ("exit 7", "exit status 7", "by hand"),
        ("exec sleep 60", "did not finish in 0.3 s", "py-spy"),
    ],
)
async def test_an_environment_that_cannot_look_at_itself_says_why(
    tmp_path: Path, script: str, evidence: str, remedy: str
) -> None:
    patience = 0.3 if "sleep" in script else 30.0
    one = an_examination(tmp_path, interpreter=interpreter(tmp_path, script), environment_patience=patience)
    result = (await results(environments, one))["environment:default"]
    assert result.verdict is Verdict.FAILED and evidence in result.evidence and remedy in result.remedy


@pytest.mark.parametrize(("allowed", "held"), [(Policy.STRICT, "strict"), (Policy.OPEN, "open")])
async def test_an_environment_is_examined_under_the_policy_that_the_plane_gives_the_site(
    tmp_path: Path, allowed: Policy, held: str
) -> None:
    asked = tmp_path / "asked.json"
    one = an_examination(tmp_path, interpreter=interpreter(tmp_path, f"cat > {asked}"), policy="open")
    one.about = AboutToken(deployment="d", token="t", policy=allowed)
    await results(environments, one)
    configure = json.loads(asked.read_text())
    assert [configure[name] for name in ("policy", "xcom", "store")] == [held] * 3


async def test_what_an_environment_said_before_it_hung_is_kept(tmp_path: Path) -> None:
    said = {"check": "secrets", "verdict": "ok", "evidence": "read"}
    script = f"echo 'tradewind-doctor {json.dumps(said)}'; exec sleep 60"
    one = an_examination(tmp_path, interpreter=interpreter(tmp_path, script), environment_patience=0.5)
    found = await results(environments, one)
    assert found["secrets:default"].verdict is Verdict.OK
    assert found["environment:default"].verdict is Verdict.FAILED
    assert "its last check that ended: secrets:default" in found["environment:default"].evidence


@pytest.mark.timeout(180)
async def test_an_environment_gives_up_what_does_not_answer_and_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "away.py").write_text(
        "import subprocess\n"
        "from pathlib import Path\n"
        "from airflow.dag_processing.bundles.local import LocalDagBundle\n"
        "class Bundle(LocalDagBundle):\n"
        "    def initialize(self):\n"
        "        clone = subprocess.Popen(['sleep', '1000'], stdout=subprocess.PIPE)\n"
        f"        Path({str(tmp_path / 'pid')!r}).write_text(str(clone.pid))\n"
        "        clone.wait()\n"
    )
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    (tmp_path / "dags").mkdir()
    one = an_examination(
        tmp_path,
        environment_patience=environments.HEAD_START + min(stretched(20), 50),  # a bundle has 60 of its own
        bundles=[
            {"name": "away", "classpath": "away.Bundle", "kwargs": {"path": str(tmp_path)}},
            {"name": "then", "classpath": local, "kwargs": {"path": str(tmp_path / "dags")}},
        ],
        environments=[{"name": "main", "interpreter": sys.executable, "env": {"PYTHONPATH": str(tmp_path)}}],
    )
    found = await results(environments, one)
    assert found["bundle:away"].verdict is Verdict.FAILED, found
    assert f"fetching it from {tmp_path}: no answer in " in found["bundle:away"].evidence
    assert found["bundle:then"].verdict is Verdict.SKIPPED
    clone = Path("/proc", (tmp_path / "pid").read_text(), "cmdline")
    assert not clone.exists() or not clone.read_bytes(), (
        "it has ended, whether or not its new parent has noticed"
    )


async def test_an_interpreter_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    result = (await results(environments, an_examination(tmp_path, interpreter=tmp_path / "no")))[
        "environment:default"
    ]
    assert result.verdict is Verdict.FAILED and "No such file" in result.evidence


async def test_an_environment_with_another_airflow_than_the_planes_is_a_failure(tmp_path: Path) -> None:
    said = {"check": "environment", "verdict": "ok", "evidence": "Airflow 3.1.0", "airflow": "3.1.0"}
    one = an_examination(
        tmp_path, interpreter=interpreter(tmp_path, f"echo 'tradewind-doctor {json.dumps(said)}'")
    )
    one.about = AboutToken(deployment="d", token="t", airflow_version="3.3.2")
    result = (await results(environments, one))["environment:default"]
    assert result.verdict is Verdict.FAILED and "3.3.x" in result.remedy


async def test_a_state_directory_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    result = (await results(disk, an_examination(tmp_path, state_dir=Path("/proc/nowhere"))))["disk"]
    assert result.verdict is Verdict.FAILED and "cannot be written" in result.evidence


async def test_a_full_disk_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert (await results(disk, an_examination(tmp_path)))["disk"].verdict is Verdict.FAILED


@pytest.mark.parametrize("there", [True, False])
async def test_the_doctor_warns_of_no_directory_that_it_made_or_found_empty(
    tmp_path: Path, there: bool
) -> None:
    if there:
        (tmp_path / "state").mkdir(mode=0o755)
    assert (await results(disk, an_examination(tmp_path)))["disk"].verdict is Verdict.OK
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


async def test_others_that_can_enter_the_state_directory_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "state" / "somebody's").touch()
    one = an_examination(tmp_path)
    assert "chmod go= " in (await results(disk, one))["disk"].remedy
    (tmp_path / "state").chmod(stat.S_IRWXU)
    assert (await results(disk, one))["disk"].verdict is Verdict.OK


async def test_what_waits_too_long_in_the_outbox_is_a_warning(tmp_path: Path) -> None:
    one = an_examination(tmp_path)
    assert (await results(outbox, one))["outbox"].evidence == "no outcome was ever kept"
    with Outbox(tmp_path / "state" / "outbox.sqlite", now=lambda: time.time() - 600) as kept:
        kept.put(kind="finish", attempt_id=uuid4(), epoch=1, method="POST", path="/x", body=b"")
        result = (await results(outbox, one))["outbox"]
    assert result.verdict is Verdict.WARNING and "1 requests wait" in result.evidence


async def test_an_outbox_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "outbox.sqlite").write_text("this is no database, whatever it is named" * 100)
    assert (await results(outbox, an_examination(tmp_path)))["outbox"].verdict is Verdict.FAILED


async def test_a_port_somebody_else_has_is_a_warning_and_ones_own_is_not(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        one = an_examination(tmp_path, metrics_port=taken.getsockname()[1])
        assert (await results(ports, one))["port"].verdict is Verdict.WARNING
        one.running = True
        assert (await results(ports, one))["port"].verdict is Verdict.OK
    assert (await results(ports, one))["port"].verdict is Verdict.OK
    assert (await results(ports, an_examination(tmp_path)))["port"].verdict is Verdict.SKIPPED


# ---- the command


def test_the_command_ends_with_78_when_the_settings_are_wrong(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["doctor", "--plane-url", "ftp://x", "--output", "json"])
    assert told.exit_code == 78
    said = json.loads(told.stdout)
    assert said["verdict"] == "failed" and said["checks"][0]["check"] == "settings"


def test_the_command_ends_with_1_when_something_fails_and_says_the_same_in_json(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(FakePlane().token)
    (tmp_path / "token").chmod(0o600)
    python = interpreter(tmp_path, "exit 7")
    command = ["doctor", "--plane-url", "http://127.0.0.1:1", "--token-file", str(tmp_path / "token")]
    command += ["--state-dir", str(tmp_path / "state"), "--interpreter", str(python), "--metrics-port", "0"]
    text, said = CliRunner().invoke(main, command), CliRunner().invoke(main, [*command, "--output", "json"])
    assert (text.exit_code, said.exit_code) == (1, 1)
    checks = {each["check"]: each for each in json.loads(said.stdout)["checks"]}
    assert checks["tcp"]["verdict"] == "failed" and checks["tcp"]["remedy"]
    for check in checks:
        assert check in text.stdout


def test_warnings_alone_do_not_fail() -> None:
    only = [Result("a", Verdict.OK, ""), Result("b", Verdict.WARNING, ""), Result("c", Verdict.SKIPPED, "")]
    assert examination.overall(only) is Verdict.WARNING
    assert examination.overall([*only, Result("d", Verdict.FAILED, "")]) is Verdict.FAILED


@pytest.mark.timeout(120)
async def test_a_real_environment_shows_what_is_broken_in_it(tmp_path: Path) -> None:
    """One look at a real Airflow with a broken bundle, a broken secrets backend and a storage that refuses."""
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "one.py").touch()
    (tmp_path / "broken_backend.py").write_text(
        "from airflow.sdk.bases.secrets_backend import BaseSecretsBackend\n"
        "class Backend(BaseSecretsBackend):\n"
        "    def get_connection(self, conn_id, team_name=None): raise OSError('the vault is sealed')\n"
    )
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    one = an_examination(
        tmp_path,
        bundles=[
            {"name": "here", "classpath": local, "kwargs": {"path": str(tmp_path / "dags")}},
            {"name": "gone", "classpath": local, "kwargs": {"path": str(tmp_path / "gone")}},
        ],
        environments=[
            {
                "name": "main",
                "interpreter": prepared_hosts.python(tmp_path / "python"),
                "env": {
                    "PYTHONPATH": str(tmp_path),
                    "AIRFLOW__SECRETS__BACKEND": "broken_backend.Backend",
                    "AIRFLOW__WORKERS__SECRETS_BACKEND": "broken_backend.Backend",
                    "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": "file:///proc/nowhere",
                },
            }
        ],
    )
    found = await results(environments, one)
    assert found["environment:main"].verdict is Verdict.OK, found["environment:main"]
    assert found["bundle:here"].verdict is Verdict.OK and "1 Python files" in found["bundle:here"].evidence
    for check in ("bundle:gone", "secrets:main", "xcom:main"):
        assert found[check].verdict is Verdict.FAILED, found[check]
        assert found[check].remedy
    assert "the vault is sealed" in found["secrets:main"].evidence


READ, FILES = "read as a task reads: ", "LocalFilesystemBackend"


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("read", "evidence"),
    [
        (
            BackendReads(),
            f"{READ}connection site_only (generic) from {FILES}, variable site_only from {FILES}",
        ),
        (
            BackendReads(("site_only",), ("site_only",)),
            f"{READ}connection site_only (generic) from {FILES}",
        ),
        (
            BackendReads(("no_such",)),
            f"connection 'no_such' cannot be read by a task: it is in none of {FILES}, EnvironmentVariablesBackend",
        ),
    ],
)
async def test_what_a_secrets_backend_has_is_read_as_a_task_reads_it(
    tmp_path: Path, read: BackendReads, evidence: str
) -> None:
    python = prepared_hosts.python(tmp_path / "python")
    environment = {"name": "main", "interpreter": python, "env": local_files(tmp_path)}
    one = an_examination(tmp_path, environments=[environment])
    one.read = read
    found = (await results(environments, one))["secrets:main"]
    assert evidence in found.evidence
    assert found.verdict is (Verdict.FAILED if "no_such" in evidence else Verdict.OK)


async def test_what_the_running_agent_says_is_wrong_is_repeated(tmp_path: Path) -> None:
    one = an_examination(tmp_path)
    assert (await results(running, one))["agent"].verdict is Verdict.SKIPPED
    (tmp_path / "state").mkdir()
    said = {"check": "bundle:main", "message": "it is another's", "remedy": "name it differently"}
    document = {"agent": {"pid": os.getpid()}, "findings": [said]}
    status.write(tmp_path / "state", document)
    one.running = True
    found = (await results(running, one))["agent"]
    assert found.verdict is Verdict.WARNING
    assert (found.evidence, found.remedy) == ("it is another's [bundle:main]", "name it differently")
    status.write(tmp_path / "state", {**document, "findings": []})
    assert (await results(running, one))["agent"].verdict is Verdict.OK


def test_what_git_said_in_several_lines_stays_in_its_column() -> None:
    shown = examination.line(failed("bundle:dags", "cannot be fetched:\nfatal: no such host", "Check it"))
    assert shown.splitlines() == [
        "FAIL  bundle:dags             cannot be fetched:",
        " " * 30 + "fatal: no such host",
        " " * 30 + "→ Check it",
    ]
