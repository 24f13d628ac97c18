"""The agent's weight, as numbers."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from process_kit import AgentProcess

from tradewind_agent.testing import FakePlane

MOST_IDLE_MEMORY = 60  # MB of proportional set size

EVERYTHING_IT_INSTALLS = {
    *(
        "tradewind-agent",
        "tradewind-protocol",
        "pydantic",
        "pydantic-core",
        "pydantic-settings",
        "python-dotenv",
    ),
    *(
        "annotated-types",
        "typing-extensions",
        "typing-inspection",
        "httpx",
        "httpcore",
        "httptools",
        "h11",
        "anyio",
        "certifi",
        "cryptography",
        "fastjsonschema",
        "cffi",
        "pycparser",
    ),
    *(
        "idna",
        "uvicorn",
        "click",
        "psutil",
        "structlog",
        "exceptiongroup",
        "tomli",
        "sniffio",
    ),
}


def test_it_installs_these_distributions_and_no_other():
    left, found = ["tradewind-agent"], set()
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in required:
            if "extra ==" in requirement or "platform_system ==" in requirement or "win32" in requirement:
                continue
            match = re.match(r"[A-Za-z0-9._-]+", requirement)
            assert match is not None
            left.append(match.group())
    assert found - EVERYTHING_IT_INSTALLS == set()


def test_it_never_imports_airflow_or_what_airflow_drags_along():
    program = (
        "import sys, tradewind_agent.agent, tradewind_agent.cli.main, tradewind_agent.monitoring.logs\n"
        "print(*[name for name in ('airflow', 'sqlalchemy', 'fastapi', 'starlette') if name in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == []


@pytest.mark.process
async def test_an_idle_agent_takes_little_memory(tmp_path: Path, plane: FakePlane):
    agent = AgentProcess(tmp_path, plane, python=sys.executable)
    async with agent:
        await agent.ready()
        rollup = Path(f"/proc/{agent.process.pid}/smaps_rollup").read_text()
    kilobytes = int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1])  # type: ignore[index]
    assert kilobytes / 1024 <= MOST_IDLE_MEMORY
