"""A site whose connections and variables are in a secrets backend, one that builds Airflow's own models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from on_airflow.sites.site import PASSWORD, VARIABLE, Planes, Site, one_agent


@contextmanager
def running(planes: Planes, home: Path) -> Iterator[Site]:
    home.mkdir(parents=True)
    connections, variables = home / "connections.json", home / "variables.json"
    connections.write_text(json.dumps({"site_http": f"http://user:{PASSWORD}@127.0.0.1:1"}))
    variables.write_text(json.dumps({"site_variable": VARIABLE}))
    paths = {"connections_file_path": str(connections), "variables_file_path": str(variables)}
    backend = {
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(paths),
        "AIRFLOW_CONN_SITE_HTTP": "",
        "AIRFLOW_VAR_SITE_VARIABLE": "",
    }
    with one_agent(planes.plane(), home, "vaulted", variables=backend) as site:
        yield site
