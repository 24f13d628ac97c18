"""Dags of a site whose tasks have a user of their own."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import dag, task

KEPT = (
    "/run/secrets/tradewind/token",
    "/run/secrets/tradewind-site/site.key",
    "/var/lib/tradewind/outbox",
    "/var/lib/tradewind/ledger",
    "/proc/1/environ",
)


@dag(schedule=None)
def apart():
    @task(queue="tromso")
    def looks() -> dict:
        return {
            "uid": os.getuid(),
            "read": [path for path in KEPT if os.access(path, os.R_OK)],
            "missing": [path for path in KEPT[:2] if not Path(path).parent.is_dir()],
            "agent": Path(f"/proc/{os.getpid()}/status").exists(),
        }

    @task(queue="tromso")
    def reads(found) -> None:
        assert found == {"uid": 50001, "read": [], "missing": [], "agent": True}, found

    reads(looks())


apart()
