"""rsyslog with the configuration that owners get, on paths of a test's own."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.installed import ROOT
from tradewind.embedded.processes import LocalProcess

CONFIGURATION = ROOT / "deploy" / "log-shippers" / "rsyslog.conf"


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
    text = CONFIGURATION.read_text()
    for owners, ours in (
        ("/var/spool/rsyslog", str(home / "work")),
        ("/var/lib/tradewind/task-logs", str(logs)),
        ('serverport="9200"', f'serverport="{port}"'),
        ('action.resumeInterval="5"', 'action.resumeInterval="1"'),
    ):
        assert owners in text
        text = text.replace(owners, ours)
    (home / "rsyslog.conf").write_text(text)
    command = [str(program()), "-n", "-iNONE", "-f", str(home / "rsyslog.conf")]
    return LocalProcess(
        "rsyslog", command, env={"TRADEWIND_AGENT": agent}, log=home / "rsyslog.log", cwd=home
    )
