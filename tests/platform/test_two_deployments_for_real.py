"""Two Deployments as root makes them: a user, a database and keys each (scenario 3)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import directories, postgresql
from support.installed import PLANES_DRIVERS, ROOT
from support.platform_process import PlatformProcess
from tradewind.embedded.environments import WHEELS, Checkout

SYSTEM = Path("/usr/bin/python3.11")
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives each Deployment a user"),
    pytest.mark.skipif(not SYSTEM.exists(), reason=f"no {SYSTEM}, which other users can run"),
    pytest.mark.skipif(not postgresql.available(), reason="no PostgreSQL on this machine: `make postgresql`"),
]


@pytest.fixture(scope="module")
def two(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[PlatformProcess, dict[str, Any], dict[str, Any]]]:
    with directories.short() as directory, postgresql.running() as server:
        directory.chmod(0o711)
        python = Checkout(ROOT, kept=directory / "env", python=SYSTEM).environment(
            "plane", WHEELS["plane"], PLANES_DRIVERS
        )
        url = directory / "deployments.url"
        url.write_text(server.new_database())
        more = ("--deployments-database-url-file", str(url))
        platform = PlatformProcess(directory / "platform", python, *more, apart=True)
        platform.start()
        try:
            first, second = (
                platform.json("deployments", "create", name, "--wait") for name in ("sales", "ops")
            )
            yield platform, first, second
        finally:
            platform.stop_everything()


def test_scenario_3_an_agent_token_of_one_is_refused_by_the_other(
    two: tuple[PlatformProcess, dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    platform, sales, ops = two
    platform.command(
        "--deployment", "sales", "tokens", "create", "first", "--to-file", str(tmp_path / "token")
    )
    headers = {"Authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}"}

    def asked(deployment: dict[str, Any]) -> httpx.Response:
        return httpx.get(f"{deployment['agent_url']}/remote-execution/v1/token", headers=headers, timeout=30)

    refused = asked(ops)
    assert (refused.status_code, refused.json()["error"]) == (403, "wrong_deployment")
    assert asked(sales).status_code == 200


def test_scenario_3_a_token_of_one_airflow_is_refused_by_the_other(
    two: tuple[PlatformProcess, dict[str, Any], dict[str, Any]],
) -> None:
    platform, sales, ops = two
    api_token = platform.token_file.read_text().strip()
    people = f"http://127.0.0.1:{platform.ports['people']}"

    def asked(deployment: dict[str, Any], method: str, path: str, token: str) -> httpx.Response:
        headers = {"Host": f"{deployment['slug']}.localhost", "Authorization": f"Bearer {token}"}
        return httpx.request(method, people + path, headers=headers, timeout=30)

    swapped = asked(sales, "POST", "/auth/token", api_token)
    assert swapped.status_code == 201, swapped.text
    token = swapped.json()["access_token"]
    assert asked(sales, "GET", "/api/v2/dags", token).status_code == 200
    assert asked(ops, "GET", "/api/v2/dags", token).status_code in (401, 403)


def test_scenario_3_the_user_of_one_reads_nothing_of_the_other_and_nothing_of_the_platform(
    two: tuple[PlatformProcess, dict[str, Any], dict[str, Any]],
) -> None:
    platform, sales, ops = two
    users = {one["name"]: {p.uids().real for p in platform.processes(one["slug"])} for one in (sales, ops)}
    assert all(len(found) == 1 for found in users.values()) and users["sales"] != users["ops"]
    assert 0 not in users["sales"] | users["ops"]
    (user,) = users["sales"]
    deployments = platform.home / "local" / "deployments"

    def reads(file: Path) -> bool:
        done = subprocess.run(["cat", str(file)], user=user, group=user, extra_groups=[], capture_output=True)
        return done.returncode == 0

    assert reads(deployments / sales["slug"] / "airflow.cfg")
    others = [
        deployments / ops["slug"] / "airflow.cfg",
        deployments / ops["slug"] / "platform-credential",
        deployments / ops["slug"] / "access.json",
        platform.home / "keys",
        platform.home / "platform.db",
    ]
    others += [
        platform.home / "local" / "gateway" / "routes.json",
        *(platform.home / "local" / "ports").iterdir(),
    ]
    assert not [one for one in others if reads(one)]
