"""A real worker process with a bucket for values and logs, and the agent's part of uploading and reading; the plane is made up."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backends.stores_of import STORES, Store, unavailable
from support.cloud.server import Servers
from support.worker_host import FakeGateway, RunningAttempt, WorkerHost, serving
from tradewind_agent.environments.log_storage import LogStorageProcess
from tradewind_agent.loops.log_uploading import LogUploading
from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_protocol.hosts import Hello, LogStorage
from tradewind_protocol.states import OutcomeKind

DAGS = Path(__file__).parent / "dags_worker"


@dataclass
class Worker:
    """A worker process of a site, and the storage of its logs as its agent knows it."""

    store: Store
    gateway: FakeGateway
    host: WorkerHost
    home: Path

    @property
    def log_directory(self) -> Path:
        return self.home / "logs"

    @property
    def waiting_logs(self) -> Path:
        return self.home / "waiting"

    def log_storages(self) -> dict[str, LogStorage]:
        return {"default": self.host.receives(Hello).logs}

    def run(self, task_id: str) -> RunningAttempt:
        attempt = self.host.run(task_id)
        attempt.outcome()
        return attempt

    def path(self, attempt: RunningAttempt) -> str:
        return str(attempt.log_file.relative_to(self.log_directory))

    def waiting(self) -> str:
        return "".join(each.read_text() for each in sorted(self.waiting_logs.rglob("*.log")))

    async def uploads_and_reads(self, path: str, *, ended: bool = False) -> str:
        """What the agent reads in the bucket, once nothing waits any more."""
        environment = EnvironmentSettings(
            name="default", interpreter=self.store.interpreter, env=self.store.variables()
        )
        settings = Settings(
            plane_url="http://127.0.0.1:1",
            token=SecretStr("of-no-plane"),
            state_dir=self.home / "state",
            environments=(environment,),
        )
        process = LogStorageProcess(settings, environment, waiting=self.waiting_logs)
        uploading = LogUploading(self, logs={"default": process}, now=lambda: 0.0, first=0.2)
        if ended:
            uploading.attempt_ended("default", path)
        task = asyncio.create_task(uploading.run())
        try:
            while list(self.waiting_logs.glob("*")):
                await asyncio.sleep(0.1)
            with tempfile.TemporaryDirectory() as folder:
                names = await process.read(path, Path(folder))
                return "".join(Path(folder, str(number)).read_text() for number in range(len(names)))
        finally:
            task.cancel()
            await process.close()


@pytest.fixture(scope="module", params=STORES, ids=lambda kind: kind.name)
def worker(
    request: pytest.FixtureRequest, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    if problem := unavailable(request.param):
        pytest.skip(problem)
    home = tmp_path_factory.mktemp("worker")
    with (
        request.param(servers) as store,
        tempfile.TemporaryDirectory(prefix="tw-") as place,
        serving(uds=f"{place}/s") as current,
    ):
        gateway = current["gateway"] = FakeGateway(f"{place}/s")
        options: dict[str, Any] = {
            "storage": store.storage,
            "waiting_logs": str(home / "waiting"),
            "upload_logs_every": 4,
        }
        host = WorkerHost(
            gateway,
            home,
            dags=DAGS,
            command=(str(store.interpreter), "-W", "ignore"),
            environ=store.variables(),
            **options,
        )
        try:
            yield Worker(store, gateway, host, home)
        finally:
            host.close()


def test_a_value_goes_to_the_bucket_and_comes_back_and_so_does_the_log(worker: Worker) -> None:
    returned = worker.run("returns")
    assert returned.outcome().kind is OutcomeKind.SUCCEEDED
    assert worker.gateway.states_of(returned) == ["success"], returned.log() + worker.waiting()
    [reference] = worker.gateway.xcoms.values()
    assert reference.startswith(f"{worker.store.storage}/xcom/worker_host/")
    text = asyncio.run(worker.uploads_and_reads(worker.path(returned)))
    assert text.count("it returns") == 1
    assert f"logs/{worker.path(returned)}" in worker.store.names()
    assert returned.log() == ""
    pulled = worker.run("pulls")
    text = asyncio.run(worker.uploads_and_reads(worker.path(pulled)))
    assert "pulled (1, ('two', [3.0])) and {'a': [1, 2]}" in text


def test_a_log_that_the_bucket_does_not_take_waits_and_is_uploaded(worker: Worker) -> None:
    with worker.store.relay.away():
        attempt = worker.run("goes_on")
    assert "line 3" in worker.waiting()
    text = asyncio.run(worker.uploads_and_reads(worker.path(attempt)))
    assert [text.count(f"line {number}") for number in range(4)] == [1, 1, 1, 1]
    assert [line for line in text.splitlines() if not line.startswith("{")] == []


def test_the_log_of_a_task_whose_supervisor_was_killed_is_uploaded(worker: Worker) -> None:
    attempt = worker.run("dies")
    assert "last words" in attempt.log()
    assert "last words" in asyncio.run(worker.uploads_and_reads(worker.path(attempt), ended=True))
    assert attempt.log() == ""


def test_a_running_tasks_log_is_uploaded_in_parts(worker: Worker) -> None:
    attempt = worker.host.run("goes_on")
    text = ""

    async def looks() -> None:
        nonlocal text
        while "line 1" not in text:
            text = await worker.uploads_and_reads(worker.path(attempt))

    asyncio.run(asyncio.wait_for(looks(), 120))
    attempt.outcome()
    text = asyncio.run(worker.uploads_and_reads(worker.path(attempt)))
    assert [text.count(f"line {number}") for number in range(4)] == [1, 1, 1, 1]
