"""The sentinel as it is installed: a process, a real API server, and a plane that takes its reports."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tradewind_agent.kits.pages import listen
from tradewind_agent.kits.serving import Serving
from tradewind_protocol import ids

from .api_server import ApiServer, Namespace, free_port
from .test_pods_of_a_real_api_server import WAITING_FOR_IMAGE, Plane

pytestmark = pytest.mark.timeout(180)
MOST_MEMORY = 66 * 2**20
"""Resident, shared libraries included, beside the test's other packages. In an environment of its own: 55 MiB, 39 of them its own."""


@pytest.fixture
async def plane() -> AsyncIterator[tuple[Plane, str]]:
    app, port = Plane(), free_port()
    async with Serving(app, listen("127.0.0.1", port), name="plane"):
        yield app, f"http://127.0.0.1:{port}"


@asynccontextmanager
async def process(tmp_path: Path, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    token = tmp_path / "token"
    token.write_text(ids.new_secret(ids.SENTINEL_TOKEN_PREFIX))
    variables = {f"TRADEWIND_SENTINEL_{name.upper()}": value for name, value in settings.items()}
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tradewind_agent",
        "sentinel",
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TRADEWIND_SENTINEL_TOKEN_FILE": str(token),
            "TRADEWIND_SENTINEL_NAME": "lab",
            **variables,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


def in_kubernetes(namespace: Namespace, tmp_path: Path, plane_url: str) -> dict[str, str]:
    account = tmp_path / "account"
    account.write_text(namespace.token())
    return {
        "plane_url": plane_url,
        "namespace": namespace.name,
        "kubernetes_server": namespace.server.url,
        "kubernetes_token_file": str(account),
        "kubernetes_ca_file": str(namespace.server.ca_file),
        "agent_port": "0",
    }


async def test_it_reports_a_pod_that_cannot_start_and_stays_small(
    server: ApiServer, plane: tuple[Plane, str], tmp_path: Path
) -> None:
    namespace = server.namespace("process")
    namespace.allow("pods", "events")
    namespace.pod("lab-default-1")
    namespace.status("lab-default-1", WAITING_FOR_IMAGE)
    app, url = plane
    port = free_port()
    async with process(tmp_path, **in_kubernetes(namespace, tmp_path, url), port=str(port)) as sentinel:
        while (
            len(app.reports) < 3
        ):  # the second comes after an examination of the way, and by the plane's interval
            app.changed.clear()
            await asyncio.wait_for(app.changed.wait(), 60)
        report = app.reports[-1]
        assert [one.check for one in report.findings if one.subject != "sentinel"] == ["image_pull"]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            assert (await http.get("/readyz")).status_code == 200
            left = (await http.get("/status")).json()["report"]
            metrics = (await http.get("/metrics")).text
        assert left == json.loads(report.model_dump_json()), "what left is shown to the letter"
        assert 'tradewind_sentinel_findings{check="image_pull"} 1' in metrics
        memory = _memory(sentinel.pid)
        print(f"the sentinel has {memory / 2**20:.1f} MiB")
        assert memory <= MOST_MEMORY
        sentinel.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(sentinel.wait(), 15) == 0


async def test_agents_of_a_machine_are_watched_without_kubernetes(
    plane: tuple[Plane, str], tmp_path: Path
) -> None:
    state = tmp_path / "eu-1"
    state.mkdir()
    status = {"at": "2026-03-01T12:00:00+00:00", "agent": {"name": "eu-1", "pid": 2**22 + 1}, "plane": {}}
    (state / "status.json").write_text(json.dumps(status))
    app, url = plane
    async with process(
        tmp_path,
        plane_url=url,
        platform="machine",
        state_dirs=str(state),
        units="none-such*.service",
        port="0",
    ):
        await asyncio.wait_for(app.changed.wait(), 60)
    (report,) = app.reports[:1]
    assert report.platform == "machine"
    assert ("stopped", "eu-1") in [(one.check, one.subject) for one in report.findings]


async def test_a_token_of_another_kind_is_refused_at_the_start(tmp_path: Path) -> None:
    token = tmp_path / "agent-token"
    token.write_text(ids.new_secret(ids.AGENT_TOKEN_PREFIX))
    async with process(
        tmp_path, plane_url="http://127.0.0.1:1", platform="machine", token_file=str(token)
    ) as sentinel:
        _, err = await asyncio.wait_for(sentinel.communicate(), 60)
    assert sentinel.returncode == 78
    assert "does not hold a sentinel's token" in err.decode() and "--kind sentinel" in err.decode()


def _memory(pid: int) -> int:
    """Resident bytes."""
    line = next(
        one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS")
    )
    return int(line.split()[1]) * 1024
