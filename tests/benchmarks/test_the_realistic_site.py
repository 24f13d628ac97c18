"""The realistic site's services do what Airflow's remote logs and metrics need of them, and count it."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import realistic_site
from support.airflow_rest import eventually


def test_objects_are_kept_and_metrics_are_counted(tmp_path: Path):
    with realistic_site.running(tmp_path / "site") as site:
        url = f"http://127.0.0.1:{site.services.store}/logs/tasks/attempt=1.log"
        assert httpx.head(url).status_code == 404
        assert httpx.put(url, content=b"a line\n").status_code == 200
        assert httpx.head(url).status_code == 200
        assert httpx.get(url).content == b"a line\n"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"ti.start:1|c", ("127.0.0.1", site.services.statsd))
        eventually(lambda: site.services.counts() == {"objects": 1, "packets": 1}, timeout=10, what="counted")


def test_the_same_settings_are_given_as_sections_and_as_variables(tmp_path: Path):
    with realistic_site.running(tmp_path / "site") as site:
        environ, sections = site.environ(), site.tasks()
    backend = json.loads(environ["AIRFLOW__SECRETS__BACKEND_KWARGS"])
    assert backend == json.loads(sections["secrets"]["backend_kwargs"])
    assert "warehouse" in json.loads(Path(backend["connections_file_path"]).read_text())
    assert environ["AIRFLOW__METRICS__STATSD_PORT"] == str(site.services.statsd)
    assert "secrets" not in site.plane()
