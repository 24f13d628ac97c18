"""An API server that is told to end answers the requests that it has: real uvicorn, a real signal."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from support.patience import eventually

SERVER = Path(__file__).parent / "ending_server.py"
PATIENCE = 20.0


@pytest.fixture
def server() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_requests_that_it_has_are_answered_and_new_ones_are_not_taken(
    server: subprocess.Popen[str],
) -> None:
    """A poll is held for half a minute, and a restart of the API server shall not take that long."""
    port = int(said(server))
    url = f"http://127.0.0.1:{port}"
    with ThreadPoolExecutor(2) as several:
        held = several.submit(httpx.get, f"{url}/held", timeout=PATIENCE)
        assert said(server) == "held"
        work = several.submit(httpx.get, f"{url}/work", timeout=PATIENCE)
        assert said(server) == "works"
        server.send_signal(signal.SIGTERM)
        assert held.result(PATIENCE).json() == "nothing new"
        assert not work.done() and server.poll() is None
        eventually(lambda: not listens(port), timeout=PATIENCE, what="it takes no more connections")
        assert server.stdin is not None
        server.stdin.write("go on\n")
        server.stdin.flush()
        assert work.result(PATIENCE).json() == "done"
    assert server.wait(PATIENCE) in (0, -signal.SIGTERM)
