"""The pages of the Airflow that `support.stub_airflow` is."""

from __future__ import annotations

import configparser
import json
import os
import sqlite3
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def serve(port: int, database: Callable[[], sqlite3.Connection]) -> None:
    """Answer until the process ends. The configuration that it was given is a file that can be read."""
    config = configparser.ConfigParser(interpolation=None)
    assert config.read(Path(os.environ["AIRFLOW_HOME"]) / "airflow.cfg")
    _Pages.database = database
    ThreadingHTTPServer(("127.0.0.1", port), _Pages).serve_forever()


class _Pages(BaseHTTPRequestHandler):
    database: Callable[[], sqlite3.Connection]

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/api/v2/monitor/health":
            found: Any = {"metadatabase": {"status": "healthy"}, "scheduler": {"status": self._scheduler()}}
        elif path == "/api/v2/version":
            found = {"version": os.environ["STUB_VERSION"]}
        elif path.endswith("/dagRuns"):
            with type(self).database() as database:
                found = {"total_entries": database.execute("SELECT count(*) FROM dag_run").fetchone()[0]}
        elif path in ("/tradewind/v1/agents", "/tradewind/v1/attempts"):
            found = {"items": [], "total": 0}
        else:
            found = {}
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    @staticmethod
    def _scheduler() -> str:
        pid = Path(os.environ["AIRFLOW_HOME"]) / "scheduler.pid"
        try:
            os.kill(int(pid.read_text()), 0)
        except (OSError, ValueError):
            return "unhealthy"
        return "healthy"
