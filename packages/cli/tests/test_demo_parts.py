"""The demo's parts, without the processes: what it asks of Airflow and what it tells a person."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from tradewind.demo import site
from tradewind.stage import runs
from tradewind.stage.runs import RunView
from tradewind.stage.show import Show


class FakeAirflow:
    """Airflow's REST API, as much of it as the demo uses."""

    def __init__(self) -> None:
        self.dags: dict[str, bool] = {}  # id → paused
        self.runs: dict[str, str] = {}  # Dag → state of its newest run
        self.instances: dict[str, list[str | None]] = {}  # Dag → states
        self.writes: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        parts = request.url.path.removeprefix("/api/v2/").split("/")
        if request.method != "GET":
            self.writes.append(f"{request.method} {'/'.join(parts)} {request.content.decode()}")
        if parts == ["dags"]:
            return httpx.Response(200, json={"dags": [{"dag_id": one} for one in self.dags]})
        dag_id = parts[1]
        if dag_id not in self.dags:
            return httpx.Response(404, json={"detail": "no such Dag"})
        if parts[2:] == []:
            self.dags[dag_id] = json.loads(request.content)["is_paused"]
        elif request.method == "POST":
            self.runs[dag_id] = "queued"
        elif parts[-1] == "taskInstances":
            states = self.instances.get(dag_id, [])
            found = [{"state": state, "task_id": f"t{number}"} for number, state in enumerate(states)]
            return httpx.Response(200, json={"task_instances": found})
        elif dag_id in self.runs:
            run = {"dag_run_id": "manual", "state": self.runs[dag_id]}
            return httpx.Response(200, json={"dag_runs": [run]})
        else:
            return httpx.Response(200, json={"dag_runs": []})
        return httpx.Response(200, json={})


@pytest.fixture
def airflow() -> FakeAirflow:
    return FakeAirflow()


@pytest.fixture
def demo_runs(airflow: FakeAirflow) -> runs.Runs:
    http = httpx.Client(transport=httpx.MockTransport(airflow), base_url="http://plane")
    return runs.Runs(http, triggered=site.TRIGGERED, by_asset=site.BY_ASSET)


def test_the_demo_waits_for_the_dags_it_is_about(airflow: FakeAirflow, demo_runs: runs.Runs) -> None:
    airflow.dags = {"demo_orders": True, "somebody_elses": True}
    assert demo_runs.missing() == ("demo_waiting", "demo_report")


def test_a_dag_that_an_asset_starts_is_unpaused_before_the_asset_is_made(
    airflow: FakeAirflow, demo_runs: runs.Runs
) -> None:
    airflow.dags = dict.fromkeys(site.ALL, True)
    demo_runs.start()
    assert airflow.dags == dict.fromkeys(site.ALL, False)
    assert [one.split()[:2] for one in airflow.writes] == [
        ["PATCH", "dags/demo_report"],
        ["PATCH", "dags/demo_orders"],
        ["PATCH", "dags/demo_waiting"],
        ["POST", "dags/demo_orders/dagRuns"],
        ["POST", "dags/demo_waiting/dagRuns"],
    ]


def test_a_run_is_counted_in_tasks(airflow: FakeAirflow, demo_runs: runs.Runs) -> None:
    airflow.dags = dict.fromkeys(site.ALL, False)
    airflow.runs = {"demo_orders": "running"}
    airflow.instances = {"demo_orders": ["success", "skipped", "running", None]}
    orders, waiting, _ = demo_runs.views()
    assert (orders.state, orders.done, orders.total, orders.ended) == ("running", 2, 4, False)
    assert (waiting.run_id, waiting.state) == ("", "waiting")


def test_what_failed_is_found_even_when_some_dags_never_came(
    airflow: FakeAirflow, demo_runs: runs.Runs
) -> None:
    airflow.dags = {"demo_orders": False}
    airflow.runs = {"demo_orders": "failed"}
    airflow.instances = {"demo_orders": ["success", "failed", "upstream_failed"]}
    assert [one["task_id"] for one in demo_runs.failures()] == ["t1", "t2"]


def test_a_refusal_of_airflow_names_the_request(demo_runs: runs.Runs) -> None:
    with pytest.raises(RuntimeError, match=r"PATCH /api/v2/dags/demo_report with 404"):
        demo_runs.start()


def test_without_a_terminal_every_change_is_one_plain_line() -> None:
    console = Console(file=io.StringIO(), width=200)
    show = Show(console, started=time.monotonic())
    first = RunView(
        "demo_orders", "manual", "running", done=1, total=8, states=(("running", 7), ("success", 1))
    )
    with show.watching() as watch:
        watch([RunView("demo_orders")])
        watch([first])
        watch([first])
        watch([RunView("demo_orders", "manual", "success", done=8, total=8, states=(("success", 8),))])
    assert isinstance(console.file, io.StringIO)
    said = [line.split(" s  ")[1] for line in console.file.getvalue().splitlines()]
    assert said == [
        "demo_orders: running, 1 of 8 tasks done (7 running)",
        "demo_orders: success, 8 of 8 tasks done",
    ]


def test_the_example_dags_are_shipped_and_written_to_the_site(tmp_path: Path) -> None:
    written = site.write_dags(tmp_path / "dags")
    assert [path.name for path in written] == ["orders.py", "report.py", "waiting.py"]
    source = "\n".join(path.read_text() for path in written)
    assert all(f"def {dag_id}(" in source for dag_id in site.ALL)


def test_an_environment_that_cannot_be_installed_is_said_with_the_installers_words(
    tradewind: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tradewind.commands.demo._own_checkout", lambda: None)  # as it is from a wheel
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # uv says it in a second, pip after making an environment for itself
    monkeypatch.setenv("PATH", f"{Path(__file__).parents[3] / '.tools' / 'bin'}:{os.environ['PATH']}")
    for installer in ("UV", "PIP"):
        monkeypatch.setenv(f"{installer}_NO_INDEX", "1")
        monkeypatch.setenv(f"{installer}_FIND_LINKS", str(tmp_path))
    result = tradewind("demo", "--once", "--port", "0")
    assert result.exit_code == 1
    assert "the environments could not be installed" in result.output
    assert "tradewind-provider" in result.output


def test_an_editable_command_runs_the_sources_beside_it() -> None:
    from tradewind.commands import demo

    assert demo._own_checkout() == Path(__file__).parents[3]


def test_a_port_that_is_taken_is_said_before_anything_is_installed(tradewind: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = tradewind("demo", "--port", str(port))
    assert result.exit_code == 2
    assert f"port {port} cannot be used" in result.output


def test_a_directory_with_something_in_it_is_left_alone(tradewind: Any, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    result = tradewind("demo", "--port", "0", "--directory", str(tmp_path))
    assert result.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_signal_that_comes_while_a_process_is_forked_is_heard_once_it_is_started(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from tradewind.stage.interruption import Interrupted\n"
        "from tradewind.embedded.processes import LocalProcess\n"
        "os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "process = LocalProcess('sleeper', ['sleep', '60'], env={}, log=Path(sys.argv[1]))\n"
        "try:\n"
        "    with Interrupted():\n"
        "        process.start()\n"
        "        time.sleep(10)\n"
        "except KeyboardInterrupt:\n"
        "    print('heard', process.running)\n"
        "    process.stop()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "heard True\n", done.stderr
