"""A sentinel asks an agent what its task environments reach: one examination in ten minutes, and nothing unasked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from tradewind_agent.doctor import environments
from tradewind_agent.kits.pages import PageServer
from tradewind_agent.monitoring.examinations import EVERY, Examinations
from tradewind_agent.monitoring.health import Health
from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_protocol import ids


async def test_asking_starts_one_examination_when_it_is_due_and_gives_the_results_of_the_last() -> None:
    asked, moment, go = 0, 1000.0, asyncio.Event()

    async def examine() -> Sequence[Mapping[str, str]]:
        nonlocal asked
        asked += 1
        await go.wait()
        return [{"check": "secrets:default", "verdict": "failed", "evidence": f"hunter2 is wrong ({asked})"}]

    examinations = Examinations(
        examine, masked=lambda text: text.replace("hunter2", "***"), now=lambda: moment
    )
    health: Any = PageServer(Health(document=dict, examination=examinations.document))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(health), base_url="http://agent") as http:

        async def told() -> dict[str, object]:
            await asyncio.sleep(0)
            return dict((await http.get("/examination")).json())

        assert await told() == {"at": None, "running": True, "results": []}
        assert (await told())["running"] and asked <= 1
        go.set()
        while (await told())["running"]:
            pass
        assert (await told())["results"] == [
            {"check": "secrets:default", "verdict": "failed", "evidence": "*** is wrong (1)"}
        ]
        moment += EVERY - 1
        assert not (await told())["running"]
        moment += 1
        assert (await told())["running"]
        while (await told())["running"]:
            pass
        assert asked == 2
    await examinations.close()


async def test_an_examination_that_fails_is_tried_again_later_and_leaves_the_last_results() -> None:
    moment = 0.0

    async def examine() -> Sequence[Mapping[str, str]]:
        raise RuntimeError("no fork")

    examinations = Examinations(examine, masked=str, now=lambda: moment)
    assert examinations.document()["running"]
    while examinations.document()["running"]:  # noqa: ASYNC110 (nothing tells of it)
        await asyncio.sleep(0)
    assert examinations.document() == {"at": None, "running": False, "results": []}


async def test_the_doctors_checks_of_an_environment_are_what_is_examined(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\ncat > /dev/null\n"
        'echo \'tradewind-doctor {"check": "secrets", "verdict": "failed", "evidence": "vault is sealed", "remedy": "open it"}\'\n'
    )
    python.chmod(0o755)
    settings = Settings(
        plane_url="http://plane.test",
        token=SecretStr(ids.new_secret(ids.AGENT_TOKEN_PREFIX)),
        state_dir=tmp_path,
        environments=(EnvironmentSettings(name="ml", interpreter=python),),
    )
    assert await environments.without_bundles(settings) == [
        {"check": "secrets:ml", "verdict": "failed", "evidence": "vault is sealed", "remedy": "open it"}
    ]
