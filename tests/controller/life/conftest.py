"""The world that tests of a Deployment's life share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.conftest import Cluster, lab_of
from controller.life.world import (
    IMAGE,
    NEW,
    OLD,
    Api,
    New,
    World,
)
from support import postgresql
from tradewind_platform.drivers.databases import Databases
from tradewind_platform.kubernetes.api import Access


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.PostgreSQL]:
    if not postgresql.available():
        pytest.skip("no PostgreSQL on this machine: `make postgresql` installs it")
    with postgresql.running() as made:
        yield made


@pytest.fixture(scope="session")
def databases(server: postgresql.PostgreSQL) -> Databases:
    return Databases(server.new_database())


@pytest.fixture
def new_world(cluster: Cluster, databases: Databases, tmp_path: Path) -> New:
    def made(**more: Any) -> World:
        api = Api(Access(cluster.server.url, cluster.server.ca_file, cluster.token_file()))
        images = {version: {"repository": IMAGE, "tag": version} for version in (OLD, NEW)}
        asked = {"version": "3.2.0", "versions": images, "backups": str(tmp_path / "backups")}
        world = lab_of(World, cluster, databases, api=api, **asked | more)
        api.logs = world.logs
        return world

    return made


@pytest.fixture
def world(new_world: New) -> World:
    return new_world()
