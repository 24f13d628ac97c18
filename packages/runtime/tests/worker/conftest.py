"""A real worker process, a real gateway socket, real Dags; only the plane behind the gateway is made up."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import directories
from support.worker_host import FakeGateway, WorkerHost, alive, serving

DAGS = Path(__file__).parent / "dags"


@pytest.fixture(scope="module")
def gateway_server() -> Iterator[tuple[str, dict[str, FakeGateway]]]:
    """A real HTTP server on a unix socket; who answers is the gateway of the current test."""
    with tempfile.TemporaryDirectory(prefix="tw-") as directory:
        path = f"{directory}/gateway.sock"
        with serving(uds=path) as current:
            yield path, current


@pytest.fixture
def gateway(gateway_server: tuple[str, dict[str, FakeGateway]]) -> FakeGateway:
    path, current = gateway_server
    current["gateway"] = FakeGateway(path)
    return current["gateway"]


@pytest.fixture(scope="module")
def warm_home(accelerators: str) -> Iterator[Path]:
    with directories.same("shared") as place:
        yield place


@pytest.fixture(scope="module")
def accelerators() -> str:
    """The setting of worker processes. What must hold with all of them and with none overrides it with both."""
    return "all"


@pytest.fixture(scope="module")
def shared_host(
    gateway_server: tuple[str, dict[str, FakeGateway]], warm_home: Path, accelerators: str
) -> Iterator[WorkerHost]:
    """One host for all tests that leave it as they found it; starting one takes a second."""
    host = WorkerHost(FakeGateway(gateway_server[0]), warm_home, dags=DAGS, accelerators=accelerators)
    yield host
    host.close()


@pytest.fixture
def host(shared_host: WorkerHost, gateway: FakeGateway) -> WorkerHost:
    shared_host.gateway = gateway
    return shared_host


@pytest.fixture
def own_home() -> Iterator[Path]:
    with directories.same() as place:
        yield place


@pytest.fixture
def own_host(gateway: FakeGateway, own_home: Path, accelerators: str) -> Iterator[Callable[..., WorkerHost]]:
    """Starts hosts that a test may treat badly."""
    hosts_started: list[WorkerHost] = []

    def start(**options: Any) -> WorkerHost:
        hosts_started.append(
            WorkerHost(gateway, own_home, **{"dags": DAGS, "accelerators": accelerators, **options})
        )
        return hosts_started[-1]

    yield start
    for started in hosts_started:
        started.close()


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    return alive
