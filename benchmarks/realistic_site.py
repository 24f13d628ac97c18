"""What a real site configures beside its Dags: a secrets backend, remote task logs in an object store, StatsD metrics and a
plugin with a listener. Needs `apache-airflow-providers-amazon` and `statsd` in the task environment."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_LISTENER = """
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin


class Listener:
    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance):
        pass

    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        pass


class SiteListener(AirflowPlugin):
    name = "site_listener"
    listeners = [Listener()]
"""


@contextmanager
def served(home: Path) -> Iterator[dict[str, str]]:
    """The environment variables of such a site, whose object store and StatsD server listen meanwhile."""
    (plugins := home / "plugins").mkdir(parents=True)
    (plugins / "site_listener.py").write_text(_LISTENER)
    store = ThreadingHTTPServer(("127.0.0.1", 0), _ObjectStore)
    threading.Thread(target=store.serve_forever, daemon=True).start()
    metrics = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    metrics.bind(("127.0.0.1", 0))
    endpoint = f"http://127.0.0.1:{store.server_port}"
    s3 = {
        "conn_type": "aws",
        "login": "key",
        "password": "secret",
        "extra": {"endpoint_url": endpoint, "region_name": "eu-central-1"},
    }
    (home / "connections.json").write_text(json.dumps({"site_s3": s3}))
    (home / "variables.json").write_text("{}")
    try:
        yield {
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
            "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
            "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(
                {
                    "connections_file_path": str(home / "connections.json"),
                    "variables_file_path": str(home / "variables.json"),
                }
            ),
            "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
            "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "s3://logs/tasks",
            "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "site_s3",
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(metrics.getsockname()[1]),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        store.shutdown()
        metrics.close()


class _ObjectStore(BaseHTTPRequestHandler):
    """S3 as the remote logs of a task need it: nothing is there, and everything may be put."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(200)

    def do_HEAD(self) -> None:
        self._answer(404)

    def do_GET(self) -> None:
        self._answer(404)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("ETag", '"0"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""
