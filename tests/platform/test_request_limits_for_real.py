"""A platform that answers few requests, as its command runs it: a script that asks too often is told so, and a command waits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import directories
from support.platform_process import PlatformProcess

STUBS = True
"""No environment with Airflow is needed: it has no Deployment."""


@pytest.fixture(scope="module")
def platform() -> Iterator[PlatformProcess]:
    with directories.short() as home:
        made = PlatformProcess(
            home / "platform", Path(sys.executable), "--no-local-cluster", "--reads-per-second", "1"
        )
        made.start()
        try:
            yield made
        finally:
            made.stop_everything()


def test_a_script_that_asks_too_often_is_told_when_to_come_back_and_a_command_waits(
    platform: PlatformProcess,
) -> None:
    with platform.client() as client:
        answers = [client.get("/v1/me") for _ in range(40)]
    statuses = [one.status_code for one in answers]
    assert statuses[:10] == [200] * 10, "a burst of ten seconds' worth"
    refused = next(one for one in answers if one.status_code == 429)
    assert refused.headers["Retry-After"] == "1"
    assert [one["name"] for one in platform.json("workspaces", "list")["items"]] == ["default"]
    assert "token:ada sends more requests than are answered: 1 reads a second" in platform.log.read_text()
