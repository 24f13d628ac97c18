"""A plane, an agent and a run from `make dist`'s folder alone, as the pages say, outside the checkout.

The commands are taken from the pages; what a page leaves to its reader (address, user name, paths, secrets) is filled in.
The oldest Python has pip, as the pages do. The newest has `uv pip` under that name, which installs the same in less time.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from support import built, directories, pythons
from support.airflow_rest import AirflowRest
from support.machines import Machine
from support.patience import eventually
from tradewind.embedded.plane import free_port

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

PLANE_PAGE = built.Page("how-to/make-your-airflow-a-plane.md")
AGENT_PAGE = built.Page("how-to/run-an-agent.md")
DAG = """
from airflow.sdk import dag, task

@dag(schedule=None)
def hello():
    @task
    def made() -> list[int]:
        return [1, 2, 3]

    @task
    def doubled(number: int) -> int:
        return 2 * number

    @task
    def summed(numbers: list[int]) -> None:
        assert sum(numbers) == 12

    summed(doubled.expand(number=made()))

hello()
"""


@dataclass
class Plane:
    """A plane that a reader of the page made, and what they know of it."""

    url: str
    password: str


@pytest.fixture(
    scope="module",
    params=[pytest.param("newest", id="newest-python"), pytest.param("oldest", id="oldest-python")],
)
def machines(request: pytest.FixtureRequest, dist: Path) -> Iterator[tuple[Machine, Machine]]:
    """Of the plane's owner, and of the site's."""
    python = getattr(pythons, request.param)()
    with directories.short("tw-d-") as made:
        yield tuple(
            Machine.new(made / name, dist, python, pip=request.param == "oldest")
            for name in ("plane", "site")
        )  # type: ignore[misc]


@pytest.fixture(scope="module")
def plane(machines: tuple[Machine, Machine]) -> Iterator[Plane]:
    """As `make-your-airflow-a-plane.md` makes it."""
    machine, _ = machines
    machine.run(PLANE_PAGE.block("pip install"))
    port = free_port()
    home = machine.place / "airflow"
    home.mkdir()
    settings = PLANE_PAGE.block("executor = tradewind_provider", "ini")
    secrets = PLANE_PAGE.block("fernet_key = ", "ini").replace("[core]\n", "")
    key = machine.run(
        "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
    )
    secrets = secrets.replace("fernet_key = …", f"fernet_key = {key.strip()}").replace(
        "jwt_secret = …", "jwt_secret = " + "s" * 64
    )
    (home / "airflow.cfg").write_text(
        "\n".join(line.partition("  ")[0] for line in (settings + secrets).splitlines())
    )
    machine.env |= {"AIRFLOW_HOME": str(home), "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}"}
    machine.run(PLANE_PAGE.block("airflow db migrate"))
    url = f"http://127.0.0.1:{port}"
    running = [
        machine.process("api-server", f"airflow api-server --host 127.0.0.1 --port {port} --workers 1"),
        machine.process("scheduler", "airflow scheduler"),
    ]
    try:
        for each in running:
            each.start()
        eventually(
            lambda: is_healthy(url), timeout=120, what=lambda: "\n".join(each.tail() for each in running)
        )
        generated = home / "simple_auth_manager_passwords.json.generated"
        yield Plane(url, json.loads(generated.read_text())["admin"])
    finally:
        for each in running:
            each.stop(grace=15)


def is_healthy(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/api/v2/monitor/health", timeout=10)
        return answer.is_success and answer.json()["scheduler"]["status"] == "healthy"
    except httpx.HTTPError:
        return False


def test_a_plane_and_an_agent_as_the_pages_say_and_a_run(
    machines: tuple[Machine, Machine], plane: Plane
) -> None:
    operator, site = machines
    operator.run(PLANE_PAGE.block("uv tool install") if not operator.pip else with_pip(PLANE_PAGE))
    commands = PLANE_PAGE.block("tradewind contexts add").replace("https://airflow.example.com", plane.url)
    add, _, more = commands.replace("--username you", "--username admin --password-stdin").partition("\n")
    operator.run(add, given=plane.password)
    assert "There is no agent." in operator.run(more)

    (site.place / "dags").mkdir()
    (site.place / "dags" / "hello.py").write_text(DAG)
    bundle = {
        "name": "dags",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(site.place / "dags")},
    }
    site.env |= {
        "AIRFLOW_HOME": str(site.place / "airflow"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "TRADEWIND_AGENT_METRICS_PORT": "0",
        "TRADEWIND_AGENT_NAME": "first-1",
    }
    shutil.copy(operator.place / "agent-token", site.place / "agent-token")
    install, start = AGENT_PAGE.block("pip install").splitlines()
    site.run(install)
    start = start.replace("https://airflow.example.com", plane.url)
    agent = site.process("agent", start.replace("/etc/tradewind/token", str(site.place / "agent-token")))
    agent.start()
    try:
        with httpx.Client(base_url=plane.url, timeout=60) as http:
            answer = http.post("/auth/token", json={"username": "admin", "password": plane.password})
            http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            rest = AirflowRest(http)
            eventually(lambda: "hello" in rest.dags(), timeout=120, what=agent.tail)
            run = rest.run("hello")
        assert run.state == "success", (run, agent.tail())
        assert "healthy" in operator.run("tradewind agents list")
        on = [line for line in site.run("tradewind-agent status").splitlines() if "accelerators on:" in line]
        minor = int(site.run("python -c 'import sys; print(sys.version_info.minor)'"))
        assert any("immortal_objects" in line for line in on) == (minor >= 12), on
    finally:
        agent.stop(grace=30)
    assert agent.exit_code == 0, agent.tail()


def with_pip(page: built.Page) -> str:
    """The page's command for uv, with pip: into another environment than Airflow's."""
    command = (
        page.block("uv tool install").replace("uv tool install", "cli/bin/pip install").partition("#")[0]
    )
    return f"python -m venv cli\n{command}\nmkdir -p bin\nln -s ../cli/bin/tradewind bin/tradewind"


def test_nothing_of_another_distribution_is_there(machines: tuple[Machine, Machine], plane: Plane) -> None:
    names = "import importlib.metadata as m; print(*sorted({d.name for d in m.distributions() if 'tradewind' in d.name}))"
    operator, site = (machine.run(f'python -c "{names}"').split() for machine in machines)
    assert operator == ["tradewind-protocol", "tradewind-provider"]
    assert site == ["tradewind-agent", "tradewind-protocol", "tradewind-runtime"]


def test_every_module_comes_from_the_environment(machines: tuple[Machine, Machine], plane: Plane) -> None:
    for machine, module in zip(machines, ("tradewind_provider", "tradewind_agent"), strict=True):
        where = machine.run(f'python -c "import {module}; print({module}.__file__)"').strip()
        assert where.startswith(str(machine.place / "venv")), where
