"""What a real site configures beside its Dags: a secrets backend, remote task logs in an object store, StatsD metrics and a
plugin with a listener. Needs `apache-airflow-providers-amazon` and `statsd` in the task environment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.environments import ROOT

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


@dataclass(frozen=True)
class Services:
    """Where the site's object store and StatsD server listen."""

    store: int
    statsd: int

    def counts(self) -> Mapping[str, int]:
        """Objects stored (task logs) and metric packets received so far."""
        return dict(httpx.get(f"http://127.0.0.1:{self.store}/", timeout=10).json())


@dataclass(frozen=True)
class Site:
    """A site's configuration, and the services that it names."""

    services: Services
    home: Path

    def tasks(self) -> dict[str, dict[str, str]]:
        """Sections of airflow.cfg for every process that runs tasks, and for the planes that do."""
        files = {
            f"{name}_file_path": str(self.home / f"{name}.json") for name in ("connections", "variables")
        }
        return {
            **self.plane(),
            "secrets": {
                "backend": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
                "backend_kwargs": json.dumps(files),
            },
            "logging": {
                "remote_logging": "True",
                "remote_base_log_folder": "s3://logs/tasks",
                "remote_log_conn_id": "site_s3",
            },
        }

    def plane(self) -> dict[str, dict[str, str]]:
        """Sections for a plane that has neither the site's secrets nor its logs."""
        return {
            "core": {"plugins_folder": str(self.home / "plugins")},
            "metrics": {
                "statsd_on": "True",
                "statsd_host": "127.0.0.1",
                "statsd_port": str(self.services.statsd),
            },
        }

    def environ(self) -> dict[str, str]:
        """The sections of `tasks` as environment variables."""
        sections = self.tasks()
        settings = {
            f"AIRFLOW__{section.upper()}__{key.upper()}": value
            for section, values in sections.items()
            for key, value in values.items()
        }
        return {**settings, **variables("realistic")}


def variables(site: str) -> dict[str, str]:
    """Environment variables of all processes on that kind of site: realistic or bare."""
    # Without the second, boto3 asks an address for credentials that exists at a cloud provider only.
    return {"BENCH_SITE": site, "AWS_EC2_METADATA_DISABLED": "true"}


@contextmanager
def running(home: Path) -> Iterator[Site]:
    """A site whose services run meanwhile; its files are in `home`."""
    (plugins := home / "plugins").mkdir(parents=True)
    (plugins / "site_listener.py").write_text(_LISTENER)
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.site_services"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        services = Services(**json.loads(process.stdout.readline()))
        (home / "connections.json").write_text(json.dumps(_connections(services)))
        (home / "variables.json").write_text(json.dumps({"region": "north"}))
        yield Site(services, home)
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def served(home: Path) -> Iterator[dict[str, str]]:
    """The environment variables of such a site, whose services run meanwhile."""
    with running(home) as site:
        yield site.environ()


def _connections(services: Services) -> dict[str, object]:
    endpoint = {"endpoint_url": f"http://127.0.0.1:{services.store}", "region_name": "eu-central-1"}
    return {
        "site_s3": {"conn_type": "aws", "login": "key", "password": "secret", "extra": endpoint},
        "warehouse": {"conn_type": "postgres", "host": "warehouse.internal", "password": "secret"},
    }
