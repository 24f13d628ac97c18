"""A site with a real secrets backend: Airflow's, of local files."""

from __future__ import annotations

import json
from pathlib import Path


def local_files(directory: Path) -> dict[str, str]:
    """Write a connection `site_only` and a variable `site_only`; the environment variables that have Airflow read them."""
    (directory / "connections.yaml").write_text("site_only: generic://user:of-the-file@file-host/\n")
    (directory / "variables.yaml").write_text("site_only: from the file\n")
    kwargs = {
        "connections_file_path": str(directory / "connections.yaml"),
        "variables_file_path": str(directory / "variables.yaml"),
    }
    return {
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(kwargs),
    }
