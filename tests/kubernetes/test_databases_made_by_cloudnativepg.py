"""Deployments whose databases CloudNativePG makes, with its own operator and a PostgreSQL that it runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import directories
from support.cluster import CACHE, LAB, Cluster, wait
from support.cluster_controller import NEW, OLD, SMALL, give_volume, install, make_volume
from support.cluster_platform import ClusterPlatform

OWN = "operated"
"""The namespace of this controller."""
PLACE = {"cluster": "main", "namespace": "databases"}
POSTGRES = 26
"""The user of PostgreSQL in images for CloudNativePG."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with directories.short() as made:
        yield made


@pytest.fixture(scope="module")
def disk(folder: Path) -> Iterator[Path]:
    """A file system of its own for backups, which a test can fill."""
    place = folder / "backups"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(scope="module")
def platform(cluster: Cluster, folder: Path, disk: Path) -> Iterator[ClusterPlatform]:
    """A platform, and a controller that has no connection to a PostgreSQL but those of Deployments."""
    if not (CACHE / "bin/cloudnative-pg").exists():
        pytest.skip("no CloudNativePG: `make cloudnative-pg` builds it")
    made = ClusterPlatform(cluster, folder)
    try:
        made.start()
        made.add_cluster("operated")
        run_postgresql(cluster, folder / "postgresql")
        cluster.kubectl("create", "namespace", OWN)
        make_volume(cluster, disk, namespace=OWN)
        values = {
            "database": {"cloudNativePG": PLACE},
            "backups": {"existingClaim": "backups"},
            "gateway": {
                "tlsSecret": "gateway-tls",
                "replicas": 1,
                "service": {"type": "ClusterIP"},
                "resources": SMALL,
            },
            "controller": {"resources": SMALL},
        }
        install(made, "operated", namespace=OWN, values=values)
        yield made
        cluster.helm("uninstall", f"{OWN}-controller", "-n", OWN)
        cluster.kubectl("delete", "clusters.postgresql.cnpg.io", PLACE["cluster"], "-n", PLACE["namespace"])
    finally:
        made.stop()


def run_postgresql(cluster: Cluster, folder: Path) -> None:
    """The operator, and a Cluster of one instance that is ready."""
    subprocess.run([LAB / "cloudnative-pg"], check=True)
    folder.mkdir()
    folder.chmod(0o700)
    subprocess.run(["chown", f"{POSTGRES}:{POSTGRES}", folder], check=True)
    cluster.kubectl("create", "namespace", PLACE["namespace"])
    give_volume(cluster, folder, PLACE["namespace"], f"{PLACE['cluster']}-1")
    cluster.apply(
        {
            "apiVersion": "postgresql.cnpg.io/v1",
            "kind": "Cluster",
            "metadata": {"name": PLACE["cluster"], "namespace": PLACE["namespace"]},
            "spec": {
                "instances": 1,
                "smartShutdownTimeout": 5,  # sessions of Airflows are not waited for
                "imageName": "localhost/postgresql:15",
                "storage": {
                    "size": "1Gi",
                    "pvcTemplate": {"accessModes": ["ReadWriteOnce"], "storageClassName": ""},
                },
                "resources": SMALL,
            },
        }
    )
    is_ready(cluster)


def is_ready(cluster: Cluster) -> None:
    def ready() -> bool:
        found = cluster.get("clusters.postgresql.cnpg.io", PLACE["cluster"], "-n", PLACE["namespace"])
        conditions = found.get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions) and bool(
            found["status"].get("readyInstances")
        )

    wait(ready, timeout=400, what=lambda: cluster.about(PLACE["namespace"]))


def asked(cluster: Cluster, statement: str, database: str = "postgres") -> list[str]:
    """What a statement of the superuser returns, which only the pod of PostgreSQL itself may be."""
    pod = ("exec", f"{PLACE['cluster']}-1", "-n", PLACE["namespace"], "-c", "postgres", "--")
    return cluster.kubectl(*pod, "psql", "-XAtc", statement, database).split("\n")[:-1]


@pytest.fixture(scope="module")
def sales(platform: ClusterPlatform) -> dict[str, Any]:
    made = platform.json(
        "deployments", "create", "sales", "--cluster", "operated", "--version", OLD, "--wait"
    )
    address = platform.cluster.get("service", f"{OWN}-controller-gateway", "-n", OWN)["spec"]["clusterIP"]
    platform.name(address, made["people_url"].removeprefix("https://"))
    return dict(made)


def test_a_deployment_has_a_role_without_rights_and_a_database_that_no_other_role_opens(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    assert (sales["phase"], sales["health"]) == ("running", "healthy")
    cluster, slug = platform.cluster, sales["slug"]
    rights = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
    assert asked(cluster, f"SELECT {rights} FROM pg_roles WHERE rolname = '{slug}'") == ["f|f|f|f|f"]
    assert asked(cluster, f"SELECT has_database_privilege('app', '{slug}', 'CONNECT')") == ["f"]
    owner = f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{slug}'"
    assert asked(cluster, owner) == [slug]
    sessions = (
        "SELECT DISTINCT usename, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = "
    )
    assert asked(cluster, f"{sessions}'{slug}'") == [f"{slug}|t"], "its own role's only, and encrypted"


def keep(platform: ClusterPlatform, sales: dict[str, Any], name: str) -> None:
    """A Variable in the Deployment's database."""
    path = f"/v1/deployments/{sales['id']}/airflow/api/v2/variables"
    answer = platform.ask("POST", path, {"key": name, "value": "kept"})
    assert answer[0] == 201, answer


def kept(platform: ClusterPlatform, sales: dict[str, Any]) -> list[str]:
    """The Variables in the database, asked of Airflow."""
    path = f"/v1/deployments/{sales['id']}/airflow/api/v2/variables"
    return sorted(one["key"] for one in platform.ask("GET", path)[1]["variables"])


def now(platform: ClusterPlatform, name: str = "sales") -> tuple[str, str, str]:
    found = platform.json("deployments", "get", name)
    return found["phase"], found["health"], found["version"]


def steps(platform: ClusterPlatform, made: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the operation that began last."""
    listed = platform.ask("GET", f"/v1/operations?deployment={made['id']}")[1]["items"]
    return list(listed[0]["steps"])


def kill_the_controller(cluster: Cluster) -> None:
    (controller,) = cluster.pods(OWN, **{"app.kubernetes.io/component": "controller"})
    cluster.kill_container(controller)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """All but a few kilobytes of it are taken."""
    taken = disk / "taken"
    taken.write_bytes(bytes(shutil.disk_usage(disk).free - 16_384))
    try:
        yield
    finally:
        taken.unlink()


def test_a_volume_that_is_full_refuses_an_upgrade_and_fails_a_backup_that_leaves_nothing_behind(
    platform: ClusterPlatform, sales: dict[str, Any], disk: Path
) -> None:
    asks = (sys.executable, "-m", "tradewind", "deployments")
    with full(disk):
        refused = platform.run(*asks, "upgrade", "sales", "--to", NEW, "--wait", fails=None)
        failed = platform.run(*asks, "backups", "create", "sales", "--wait", fails=None)
        assert list((disk / sales["slug"]).iterdir()) == []
    assert refused.startswith("failed") and "Make room for" in refused
    assert failed.startswith("failed") and "make room there" in failed
    wait(lambda: now(platform) == ("running", "healthy", OLD), timeout=120, what=lambda: str(now(platform)))


def test_an_upgrade_whose_controller_is_killed_ends_well_and_its_backup_brings_the_data_back(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    keep(platform, sales, "before")
    platform.command("deployments", "upgrade", "sales", "--to", NEW)

    def state(name: str) -> str:
        return next((one["state"] for one in steps(platform, sales) if one["name"] == name), "")

    for name in ("back up", "migrate"):
        wait(
            lambda name=name: state(name) not in ("", "pending"),  # type: ignore[misc]
            timeout=600,
            what=lambda: str(steps(platform, sales)),
        )
        kill_the_controller(platform.cluster)
    wait(
        lambda: now(platform) == ("running", "healthy", NEW),
        timeout=900,
        what=lambda: str(steps(platform, sales)),
    )
    keep(platform, sales, "after")
    assert kept(platform, sales) == ["after", "before"]

    backup = platform.json("deployments", "backups", "list", "sales")["items"][0]
    assert (backup["state"], backup["version"]) == ("succeeded", OLD)
    platform.command(*("deployments", "rollback", "sales", "--backup", backup["id"], "--wait"))
    wait(lambda: now(platform) == ("running", "healthy", OLD), timeout=120, what=lambda: str(now(platform)))
    assert kept(platform, sales) == ["before"]
    assert asked(platform.cluster, f"SELECT has_database_privilege('app', '{sales['slug']}', 'CONNECT')") == [
        "f"
    ]


def test_one_that_hibernates_has_no_session_and_wakes_with_its_data(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    platform.command("deployments", "hibernate", "sales", "--wait")
    sessions = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{sales['slug']}'"
    wait(lambda: asked(platform.cluster, sessions) == ["0"], timeout=60, what="its sessions have ended")
    platform.command("deployments", "wake-up", "sales", "--wait")
    assert kept(platform, sales) == ["before"]


def test_while_postgresql_is_away_a_creation_waits_and_a_deployment_is_unhealthy_and_both_recover(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    cluster = platform.cluster
    place = ("clusters.postgresql.cnpg.io", PLACE["cluster"], "-n", PLACE["namespace"])
    cluster.kubectl("annotate", *place, "cnpg.io/hibernation=on")
    wait(
        lambda: cluster.pods(PLACE["namespace"], **{"cnpg.io/cluster": PLACE["cluster"]}) == [],
        timeout=180,
        what=lambda: cluster.about(PLACE["namespace"]),
    )
    wait(lambda: now(platform)[1] == "unhealthy", timeout=300, what=lambda: str(now(platform)))
    made = platform.json("deployments", "create", "marketing", "--cluster", "operated", "--version", OLD)

    def waits() -> bool:
        return any("CloudNativePG has not made" in one["message"] for one in steps(platform, made))

    wait(waits, timeout=180, what=lambda: str(steps(platform, made)))
    kill_the_controller(cluster)
    cluster.kubectl("annotate", *place, "--overwrite", "cnpg.io/hibernation=off")
    is_ready(cluster)
    wait(lambda: now(platform)[1] == "healthy", timeout=400, what=lambda: str(now(platform)))
    wait(
        lambda: now(platform, "marketing")[:2] == ("running", "healthy"),
        timeout=900,
        what=lambda: str(steps(platform, made)),
    )
    assert kept(platform, sales) == ["before"]
    platform.command("deployments", "delete", "marketing", "--yes", "--wait")


def test_an_object_that_is_deleted_by_hand_takes_no_data_and_a_purge_leaves_neither_database_nor_role(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    cluster, slug = platform.cluster, sales["slug"]
    objects = ("databases.postgresql.cnpg.io,databaseroles.postgresql.cnpg.io", "-n", PLACE["namespace"])
    platform.command("deployments", "delete", "sales", "--yes", "--wait")
    cluster.kubectl("delete", *objects[:1], slug, *objects[1:])
    platform.command("deployments", "restore", "sales", "--wait")
    wait(lambda: now(platform)[1] == "healthy", timeout=120, what=lambda: str(now(platform)))
    assert kept(platform, sales) == ["before"]

    platform.command("deployments", "delete", "sales", "--yes", "--wait")
    platform.command("deployments", "purge", "sales", "--yes", "--wait")
    left = "SELECT rolname FROM pg_roles UNION SELECT datname FROM pg_database"
    others = asked(cluster, left)
    assert slug not in others and "app" in others
    named = [one["metadata"]["name"] for one in cluster.get(*objects)["items"]]
    assert slug not in named and len(named) == 2, "the other Deployment is recoverable"
    secret = ("get", "secret", f"{slug}-password", "-n", PLACE["namespace"])
    wait(lambda: "NotFound" in cluster.kubectl(*secret, check=False), timeout=60, what="its Secret is gone")
