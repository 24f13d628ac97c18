"""The doctor's checks end in a bounded time, whatever does not answer: each verdict says what that is, and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support import prepared_hosts
from tradewind_runtime.time_limits import TimeIsUp, within

HANGING = """
import threading
from pathlib import Path
from airflow.dag_processing.bundles.base import BaseDagBundle
from airflow.sdk.bases.secrets_backend import BaseSecretsBackend

hangs = threading.Event()

def hang():
    hangs.set()
    threading.Event().wait()

class Backend(BaseSecretsBackend):
    def get_conn_value(self, conn_id, team_name=None):
        hang()

class Bundle(BaseDagBundle):
    supports_versioning = False
    def __init__(self, *, repo_url, **kwargs):
        super().__init__(**kwargs)
        self.repo_url = repo_url
    @property
    def path(self):
        return Path("/nowhere")
    def initialize(self):
        hang() if "away" in self.repo_url else super().initialize()
    def get_current_version(self):
        return None
    def refresh(self):
        pass
"""

PROGRAM = """
import json, sys
from concurrent.futures import TimeoutError as FutureTimeout
from tradewind_protocol.hosts import Configure
from tradewind_runtime import doctor
from tradewind_runtime.time_limits import TimeLimits

now = 0.0
def wait(answer, seconds):
    # time stands still while a check works, and passes at once while one hangs
    global now
    import hanging
    while not answer.done() and not hanging.hangs.is_set():
        hanging.hangs.wait(0.01)
    if hanging.hangs.is_set():
        hanging.hangs.clear()
        now += seconds
        raise FutureTimeout
    return answer.result()

configure = Configure(component="dag_processor", agent_name="a", gateway="", secret="", options=json.loads(sys.argv[1]))
limits = TimeLimits(240, clock=lambda: now, wait=wait)
print(json.dumps([[now, one] for one in doctor.examine(configure, limits)]), flush=True)
doctor._leave() if limits.gave_up else None
"""


def examined(
    home: Path, bundles: list[str], options: dict[str, Any]
) -> dict[str, tuple[float, dict[str, str]]]:
    """What the doctor says of each check, and how much time had passed by then."""
    (home / "hanging.py").write_text(HANGING)
    listed = [
        {"name": f"bundle{number}", "classpath": "hanging.Bundle", "kwargs": {"repo_url": url}}
        for number, url in enumerate(bundles)
    ]
    variables = {
        "AIRFLOW__SECRETS__BACKEND": "hanging.Backend",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(listed),
    }
    asked = json.dumps({"state_directory": str(home), **options})
    done = prepared_hosts.run(PROGRAM, asked, PYTHONPATH=str(home), **variables)
    assert done.stdout, done.stderr
    return {said["check"]: (when, said) for when, said in json.loads(done.stdout.splitlines()[-1])}


def test_each_check_has_its_time_and_all_together_have_theirs(tmp_path: Path) -> None:
    urls = [
        "https://user:SECRET@away.internal/dags.git",
        "https://away.internal/others",
        "https://away.internal/more",
    ]
    found = examined(tmp_path, urls, {"bundles": True, "read_connections": ["warehouse"]})
    when, said = found["secrets"]
    assert (when, said["verdict"]) == (120, "failed"), "longer than the 60 s for which Google's client tries"
    assert said["evidence"] == "asking Backend for the connection 'warehouse': no answer in 120 s"
    when, said = found["bundle:bundle0"]
    assert (when, said["verdict"]) == (180, "failed")
    assert said["evidence"] == "fetching it from https://***@away.internal/dags.git: no answer in 60 s"
    when, said = found["bundle:bundle1"]
    assert (when, said["verdict"]) == (240, "failed")
    when, said = found["bundle:bundle2"]
    assert (when, said["verdict"]) == (240, "skipped")
    assert said["evidence"] == "not looked at: the checks before it took all of 240 s"
    assert all(said["remedy"] for _, said in found.values() if said["verdict"] != "ok")
    assert found["xcom"][1]["verdict"] == "ok", "the checks between are made"


def test_what_answers_is_not_hurried(tmp_path: Path) -> None:
    found = examined(tmp_path, ["https://here.internal/dags"], {"bundles": True, "read_variables": []})
    assert "asking Backend for a connection that no site has" in found["secrets"][1]["evidence"]
    assert found["bundle:bundle0"][1]["evidence"] == "/nowhere is not a directory"
    assert found["bundle:bundle0"][0] == 120


def test_what_work_raises_is_raised_and_no_end_of_its_time() -> None:
    def refused() -> None:
        raise TimeoutError("of the server")

    with pytest.raises(TimeoutError, match="of the server") as caught:
        within(60, refused)
    assert not isinstance(caught.value, TimeIsUp)


def test_a_time_with_a_fraction_is_said_in_whole_seconds() -> None:
    assert str(TimeIsUp(34.9857)) == "no answer in 35 s"
    assert str(TimeIsUp(0.2)) == "no answer in 1 s"
