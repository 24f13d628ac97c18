"""The process that opens the log storage, as its callers meet it: one that leaves, one that waits, and another user's."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from support import directories
from tradewind_agent.environments import log_storage
from tradewind_agent.environments.log_storage import LogStorageProcess
from tradewind_agent.errors import EnvironmentBroken
from tradewind_agent.loops.log_uploading import LogUploading
from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_agent.state import task_users
from tradewind_protocol.hosts import LogStorage

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]

PYTHON = "/usr/bin/python3"
LOG = "dag_id=d/run_id=r/task_id=t/attempt=1.log"
STORAGE = f"""#!{PYTHON}
import json, os, pathlib, sys, time
waiting = pathlib.Path(json.loads(sys.stdin.readline())["log_directory"])
for line in sys.stdin:
    asked = json.loads(line)
    if "upload" in asked:
        while (waiting.parent / "away").exists():
            time.sleep(0.01)
        (waiting / asked["upload"]).write_text("")  # as Airflow's handlers do
        answer = {{"problem": ""}}
    else:
        (waiting.parent / "asked").touch()
        while not (waiting.parent / "answer").exists():
            time.sleep(0.01)
        pathlib.Path(asked["into"], "0").write_text("in the storage")
        answer = {{"names": [f"{{asked['read']}} of {{os.getpid()}}"]}}
    print("tradewind-logs " + json.dumps(answer), flush=True)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with directories.short("twt-") as made:
        yield made


@asynccontextmanager
async def storage(home: Path, **options: Any) -> AsyncIterator[LogStorageProcess]:
    """A storage that answers once the file `answer` is there."""
    program = home / "python"
    program.write_text(STORAGE)
    program.chmod(0o755)
    environment = EnvironmentSettings(name="default", interpreter=program, **options)
    settings = Settings(
        plane_url="http://127.0.0.1:1",
        token="tw_agent_x",
        state_dir=home / "state",
        environments=(environment,),
    )
    with directories.umask(0o022):
        task_users.prepare(settings)
    waiting = settings.state_dir / "task-logs-waiting"
    waiting.mkdir(parents=True, exist_ok=True)
    made = LogStorageProcess(settings, environment, waiting=waiting)
    try:
        yield made
    finally:
        await made.close()


async def until(meets: Callable[[], bool]) -> None:
    while not meets():  # noqa: ASYNC110 (another process does it)
        await asyncio.sleep(0.01)


async def asked(home: Path) -> None:
    await until((home / "state" / "asked").exists)


def answer(home: Path) -> None:
    (home / "state" / "answer").touch()


async def test_a_caller_who_leaves_does_not_end_the_process_nor_get_the_next_ones_answer(home: Path) -> None:
    async with storage(home) as process:
        first = asyncio.create_task(process.read("first.log", home))
        await asked(home)
        pid = process._process.pid  # type: ignore[union-attr]
        queued = asyncio.create_task(process.read("queued.log", home))
        third = asyncio.create_task(process.read("third.log", home))
        await asyncio.sleep(0)
        first.cancel()
        queued.cancel()
        answer(home)
        assert await third == [f"third.log of {pid}"]


async def test_closing_does_not_wait_for_a_storage_that_does_not_answer(home: Path) -> None:
    async with storage(home) as process:
        reading = asyncio.create_task(process.read("first.log", home))
        await asked(home)
        await process.close()
        with pytest.raises(asyncio.CancelledError):
            await reading


class Environments:
    """One environment, whose logs go to a bucket."""

    def __init__(self, home: Path) -> None:
        self.log_directory = home / "state" / "task-logs"
        self.waiting_logs = home / "state" / "task-logs-waiting"

    def log_storages(self) -> dict[str, LogStorage]:
        return {"default": LogStorage(url="s3://bucket/logs", retried=True)}

    def write(self) -> None:
        written = self.log_directory / LOG
        written.parent.mkdir(parents=True)
        written.write_text("last words")


async def test_an_upload_that_takes_long_is_told_of_while_it_goes_on_and_no_more_when_it_has_ended(
    home: Path,
) -> None:
    """The clouds' libraries try for minutes before they say why they cannot."""
    async with storage(home) as process:
        environments = Environments(home)
        environments.write()
        (home / "state" / "away").touch()
        uploading = LogUploading(
            environments, logs={"default": process}, now=lambda: 0.0, first=0.01, slow=0.01
        )
        uploading.attempt_ended("default", LOG)
        task = asyncio.create_task(uploading.run())
        await until(lambda: bool(uploading.findings()))
        [finding] = uploading.findings()
        assert "s3://bucket/logs" in finding.message
        assert "goes on" in finding.message
        assert any(environments.waiting_logs.rglob("*.log"))
        (home / "state" / "away").unlink()
        await until(lambda: not uploading.findings())
        assert not any(environments.waiting_logs.rglob("*.log"))
        task.cancel()


async def test_a_log_that_cannot_be_kept_for_its_upload_is_logged(home: Path) -> None:
    environments = Environments(home)
    environments.write()
    environments.waiting_logs.write_text("a file where the folder should be")
    uploading = LogUploading(environments, logs={}, now=lambda: 0.0)
    with capture_logs() as logged:
        uploading.attempt_ended("default", LOG)
    [line] = logged
    assert (line["action"], line["path"]) == ("log_not_kept", LOG)
    assert (environments.log_directory / LOG).read_text() == "last words"


async def test_a_log_that_is_gone_meanwhile_is_not_missed(home: Path) -> None:
    with capture_logs() as logged:
        LogUploading(Environments(home), logs={}, now=lambda: 0.0).attempt_ended("default", LOG)
    assert logged == []


async def test_a_large_log_has_longer_to_be_uploaded_and_its_limit_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_storage, "PATIENCE", 0.1)
    async with storage(home) as process:
        (home / "state" / "away").touch()
        log = home / "state" / "task-logs-waiting" / "large.log"
        with log.open("wb") as file:
            file.truncate(int(0.4 * log_storage.SLOWEST))
        with pytest.raises(EnvironmentBroken, match="nothing in 0.5 s"):
            await process.upload("large.log")


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="becoming other users needs root, on Linux"
)
async def test_a_storage_that_another_user_opens_reads_and_uploads(home: Path) -> None:
    async with storage(home, run_as="nobody") as process:
        environments = Environments(home)
        environments.write()
        uploading = LogUploading(environments, logs={"default": process}, now=lambda: 0.0, first=0.01)
        with directories.umask(0o077):
            uploading.attempt_ended("default", LOG)
        os.chown(next(environments.waiting_logs.rglob("*.log")), 65534, 65534)
        task = asyncio.create_task(uploading.run())
        await until(lambda: not any(environments.waiting_logs.iterdir()))
        task.cancel()
        assert uploading.findings() == []
        into = home / "into"
        into.mkdir(mode=0o700)
        os.chmod(home / "state", 0o777)
        answer(home)
        [name] = await process.read("first.log", into)
        assert name.startswith("first.log of ")
        assert (into / "0").read_text() == "in the storage"
