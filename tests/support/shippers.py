"""rsyslog and the OpenTelemetry Collector with the configurations that owners get, on paths of a test's own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.installed import ROOT
from tradewind.embedded.processes import LocalProcess

CONFIGURATION = ROOT / "deploy" / "log-shippers" / "rsyslog.conf"
COLLECTOR = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tradewind-otelcol" / "otelcol"
"""What `make otelcol` builds."""


LONG = "x" * 60_000
FIRST = "dag_id=orders/run_id=manual__2026-03-02T00:00:00+00:00/task_id=load/attempt=1.log"
MAPPED = "dag_id=orders/run_id=manual__2026-03-02T00:00:00+00:00/task_id=group.each/map_index=3/attempt=2.log"


class TaskLogs:
    """Task logs as an agent writes them, in a folder of `home`."""

    def __init__(self, home: Path) -> None:
        self.logs = home / "task-logs"
        self.logs.mkdir()

    def write(self, place: str, *lines: Any) -> None:
        """Append lines to a log: objects as JSON, texts as they are."""
        file = self.logs / place
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as log:
            log.writelines(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in lines)


def missing() -> str:
    """Why rsyslog cannot run here; empty when it can."""
    module = next(Path("/usr/lib").glob("*/rsyslog/omelasticsearch.so"), None)
    if program() is None or module is None:
        return "no rsyslog with omelasticsearch on this machine: `make rsyslog` installs it"
    return ""


def program() -> str | None:
    return shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin")


def rsyslog(home: Path, *, logs: Path, port: int, agent: str) -> LocalProcess:
    """A shipper of the files below `logs`, not started yet. One with the same home goes on where that one stopped."""
    (home / "work").mkdir(parents=True, exist_ok=True)
    changes = {
        "/var/spool/rsyslog": str(home / "work"),
        "/var/lib/tradewind/task-logs": str(logs),
        'serverport="9200"': f'serverport="{port}"',
        'action.resumeInterval="5"': 'action.resumeInterval="1"',
    }
    _write(home / "rsyslog.conf", CONFIGURATION, changes)
    command = [str(program()), "-n", "-iNONE", "-f", str(home / "rsyslog.conf")]
    return LocalProcess(
        "rsyslog", command, env={"TRADEWIND_AGENT": agent}, log=home / "rsyslog.log", cwd=home
    )


def collector(home: Path, *, logs: Path, url: str, agent: str) -> LocalProcess:
    """The same with the OpenTelemetry Collector, which sends to an OTLP receiver at that URL."""
    (home / "state").mkdir(parents=True, exist_ok=True)
    changes = {
        "/var/lib/otelcol": str(home / "state"),
        "/var/lib/tradewind/task-logs": str(logs),
        "http://127.0.0.1:4318": url,
    }
    _write(home / "otelcol.yaml", CONFIGURATION.with_name("otel-collector.yaml"), changes)
    command = [str(COLLECTOR), "--config", str(home / "otelcol.yaml")]
    return LocalProcess(
        "otelcol", command, env={"TRADEWIND_AGENT": agent}, log=home / "otelcol.log", cwd=home
    )


def _write(file: Path, owners: Path, changes: Mapping[str, str]) -> None:
    """The owners' configuration with other places."""
    text = owners.read_text()
    for theirs, ours in changes.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    file.write_text(text)
