"""Every secrets backend that the providers of our extras bring: it is known, and the processes of a site can use it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.environments import of_cloud

WALK = """
import json, sys
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure(component="worker", agent_name="a", gateway="", secret=""))
from importlib.metadata import entry_points
from airflow.models import Connection
from airflow.sdk._shared.module_loading import import_string
from tradewind_runtime import secrets_failures
found = {}
for point in entry_points(group="apache_airflow_provider"):
    for name in point.load()().get("secrets-backends", ()):
        cls = import_string(name)
        made = Connection(conn_id="made", conn_type="http", password="of-the-site")
        found[name] = [secrets_failures.service(cls.__name__) != cls.__name__, made.password]
print("found " + json.dumps(found))
"""


@pytest.fixture
def backends(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    def walk(extra: str) -> dict[str, Any]:
        env = {"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(tmp_path)}
        told = subprocess.run([of_cloud(extra), "-c", WALK], env=env, capture_output=True, text=True)
        assert told.returncode == 0, told.stderr
        [line] = [line for line in told.stdout.splitlines() if line.startswith("found ")]
        return dict(json.loads(line.removeprefix("found ")))

    return walk


@pytest.mark.parametrize(("extra", "count"), [("amazon", 2), ("azure", 1), ("google", 1), ("hashicorp", 1)])
def test_each_is_known_and_models_can_be_made_beside_it(backends: Any, extra: str, count: int) -> None:
    found = backends(extra)
    assert len(found) == count
    assert set(map(tuple, found.values())) == {(True, "of-the-site")}, found
