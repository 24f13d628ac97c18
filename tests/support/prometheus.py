"""A real Prometheus with short intervals, for what alert rules make of a real plane."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from support.airflow_rest import eventually
from tradewind.embedded.plane import free_port

RULES = Path(__file__).parents[2] / "deploy" / "observability" / "rules.yml"


def available() -> bool:
    """`make prometheus` installs it."""
    return shutil.which("prometheus") is not None


class Prometheus:
    """A server that scrapes and evaluates once a second."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **params: str) -> Any:
        answer = httpx.get(f"{self._url}/{path}", params=params, timeout=10)
        answer.raise_for_status()
        return answer.json()["data"]

    def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that fire, by name; of several with one name the last."""
        found = self.ask("alerts")["alerts"]
        return {one["labels"]["alertname"]: one for one in found if one["state"] == "firing"}

    def ready(self) -> bool:
        try:
            return bool(self.ask("query", query="up")["result"])
        except httpx.HTTPError:
            return False


@contextmanager
def scraping(home: Path, *, plane: str, token: str, wait: str = "2s") -> Iterator[Prometheus]:
    """Prometheus with the rules of `deploy/observability` on that plane's metrics. What the rules wait for (`for: 5m`) is
    made `wait`; nothing else of them is changed."""
    home.mkdir(parents=True)
    (home / "token").write_text(token)
    (home / "rules.yml").write_text(re.sub(r"\bfor: \w+", f"for: {wait}", RULES.read_text()))
    target = {
        "job_name": "tradewind-plane",
        "metrics_path": "/remote-execution/v1/metrics",
        "authorization": {"credentials_file": str(home / "token")},
        "static_configs": [{"targets": [plane.removeprefix("http://")]}],
    }
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(home / "rules.yml")],
        "scrape_configs": [target],
    }
    (home / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={home}/prometheus.yml",
        f"--storage.tsdb.path={home}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with open(home / "prometheus.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=home)
    try:
        server = Prometheus(port)
        eventually(server.ready, timeout=60, what=lambda: (home / "prometheus.log").read_text()[-2000:])
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
