"""A Deployment whose database is on PostgreSQL is upgraded with a dump, and restored from it (scenarios 12 and 14)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine

from support import directories, postgresql
from support.installed import PLANES_DRIVERS, ROOT, checkout, environments
from support.platform_process import PlatformProcess

OLD, NEW = "3.3.0", "3.3.2"
pytestmark = [pytest.mark.postgresql, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def platform() -> Iterator[PlatformProcess]:
    if not postgresql.available():
        pytest.skip("no PostgreSQL on this machine: `make postgresql` installs it")
    lock = ROOT / "tests" / "on_airflow" / "oldest" / "airflow-3.3.txt"
    old = checkout().environment(
        "plane-oldest-postgresql", ("protocol", "provider"), PLANES_DRIVERS, lock=lock
    )
    with postgresql.running() as server, directories.short() as home:
        url = home / "deployments-url"
        url.write_text(server.new_database())
        url.chmod(0o600)
        given = ("--deployments-database-url-file", str(url), "--plane-python", str(environments().plane))
        made = PlatformProcess(home / "platform", old, *given)
        made.start()
        try:
            yield made
        finally:
            made.stop_everything()


@pytest.fixture(scope="module")
def sales(platform: PlatformProcess) -> dict[str, Any]:
    made: dict[str, Any] = platform.json("deployments", "create", "sales", "--version", OLD, "--wait")
    return made


def pools(platform: PlatformProcess, sales: dict[str, Any], *, add: str = "") -> set[str]:
    """The names of its Airflow's pools, which are rows of its database; after another one was added."""
    path = f"/v1/deployments/{sales['id']}/airflow/api/v2/pools"
    with platform.client() as client:
        if add:
            client.post(path, json={"name": add, "slots": 1}).raise_for_status()
        answer = client.get(path)
        answer.raise_for_status()
        return {one["name"] for one in answer.json()["pools"]}


def test_scenario_12_an_upgrade_makes_a_dump_and_keeps_every_row(
    platform: PlatformProcess, sales: dict[str, Any]
) -> None:
    assert not list((platform.home / "local" / "deployments").rglob("airflow.db"))
    before = pools(platform, sales, add="before")
    platform.command("deployments", "upgrade", "sales", "--to", NEW, "--wait")
    found = platform.json("deployments", "get", "sales")
    assert (found["phase"], found["version"]) == ("running", NEW)
    assert pools(platform, sales) == before
    [backup] = platform.json("deployments", "backups", "list", "sales")["items"]
    assert (backup["state"], backup["version"]) == ("succeeded", OLD)
    assert backup["size"] > 10_000


def test_scenario_18_the_dump_is_encrypted_and_for_the_platform_alone(platform: PlatformProcess) -> None:
    [file] = (one for one in (platform.home / "local" / "backups").rglob("*.backup"))
    assert file.stat().st_mode & 0o077 == 0
    text = file.read_bytes()
    assert b"PGDMP" not in text and b"alembic_version" not in text


def test_scenario_14_a_restore_brings_the_rows_and_the_version_of_the_dump_back(
    platform: PlatformProcess, sales: dict[str, Any]
) -> None:
    wanted = pools(platform, sales)
    assert pools(platform, sales, add="after") == {*wanted, "after"}
    [backup] = platform.json("deployments", "backups", "list", "sales")["items"]
    platform.command(
        *("deployments", "rollback", "sales", "--backup", backup["id"], "--accept-loss", "--wait")
    )
    found = platform.json("deployments", "get", "sales")
    assert (found["phase"], found["version"]) == ("running", OLD)
    assert pools(platform, sales) == wanted and "before" in wanted


def test_scenario_17_a_purge_leaves_neither_database_nor_role_nor_dump(
    platform: PlatformProcess, sales: dict[str, Any]
) -> None:
    platform.command("deployments", "delete", "sales", "--yes", "--wait")
    platform.command("deployments", "purge", "sales", "--yes", "--wait")
    assert not list((platform.home / "local" / "backups").rglob("*.backup"))
    url = (platform.home.parent / "deployments-url").read_text()
    engine = create_engine(url)
    with engine.connect() as connection:
        for table, column in (("pg_database", "datname"), ("pg_roles", "rolname")):
            left = connection.exec_driver_sql(f"SELECT {column} FROM {table}").scalars().all()
            assert sales["slug"] not in left, table
    engine.dispose()
