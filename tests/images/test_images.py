"""The images, run as the restricted Pod Security Standard would run them: a plane, an agent, a Dag, a drain.

`TRADEWIND_TEST_IMAGES=tag` takes images that are built already under that tag. Otherwise they are built, on the base that
`BASE` names; without one, a base is made of Debian's packages.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from support import containers, directories
from support.airflow_rest import AirflowRest
from support.containers import USER, Container, Image
from support.installed import ROOT
from support.patience import eventually
from tradewind.embedded.plane import free_port
from tradewind.embedded.processes import LocalProcess

pytestmark = [pytest.mark.images, pytest.mark.timeout(2400)]

MEGABYTE = 1024 * 1024
DAG = """
import os
import time

from airflow.sdk import dag, task

@dag(schedule=None)
def hello():
    @task
    def made() -> list[int]:
        return [1, 2, 3]

    @task
    def summed(numbers: list[int]) -> None:
        assert sum(numbers) == 6
        assert os.getuid() == 50000

    summed(made())

@dag(schedule=None)
def slow():
    @task
    def works() -> None:
        open("/var/lib/tradewind/mark.began", "w").close()
        time.sleep(8)
        open("/var/lib/tradewind/mark.ended", "w").close()

    works()

hello()
slow()
"""


@pytest.fixture(scope="session")
def image() -> Callable[[str], Image]:
    """An image by its name, built at the first use."""
    if reason := containers.available():
        pytest.skip(reason)
    tag = os.environ.get("TRADEWIND_TEST_IMAGES")
    made: dict[str, Image] = {}

    def get(target: str) -> Image:
        if target not in made:
            name = f"localhost/tradewind-{target}:{tag or 'test'}"
            if not tag:
                build(target, name)
            made[target] = Image.mounted(name)
            print(f"\n{target}: {made[target].size / MEGABYTE:.0f} MB unpacked")
        return made[target]

    return get


def build(target: str, name: str) -> None:
    env = dict(os.environ)
    if "BASE" not in env:
        env["BASE"] = "localhost/tradewind-base:test"
        subprocess.run([ROOT / "images/base", env["BASE"]], check=True)
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")  # of this machine, while it is built
    options = ["--pull-never"] + (
        ["--volume", f"{certificates}:{certificates}:ro"] if certificates.exists() else []
    )
    subprocess.run([ROOT / "images/build", target, name, *options], check=True, env=env)


@pytest.fixture
def place() -> Iterator[Path]:
    with directories.short("tw-i-") as made:
        yield made


def folder(path: Path) -> Path:
    """One that the container's user may write to."""
    path.mkdir(parents=True)
    os.chown(path, USER, 0)
    return path


def test_the_agent_alone_has_no_airflow_and_is_small(image: Callable[[str], Image], place: Path) -> None:
    agent = image("agent-only")
    assert not list(agent.root.glob("opt/*/lib/python*/site-packages/airflow"))
    [own] = agent.root.glob("opt/tradewind/lib/python*/site-packages")
    told = subprocess.run(["du", "-sb", str(own)], text=True, capture_output=True, check=True)
    assert int(told.stdout.split()[0]) < 50 * MEGABYTE, "what the agent adds to its base"
    labels = agent.config["Labels"]
    assert isinstance(labels, dict)
    assert labels["org.opencontainers.image.version"] == (ROOT / "VERSION").read_text().strip()
    assert agent.config["User"] == f"{USER}:0"


@pytest.mark.parametrize("target", ["agent-only", "agent-slim", "plane"])
def test_an_image_has_no_compiler_and_no_caches(image: Callable[[str], Image], target: str) -> None:
    root = image(target).root
    for found in ("usr/bin/gcc", "usr/bin/cc", "root/.cache", "var/lib/apt/lists/*_Packages", "opt/dist"):
        assert not list(root.glob(found)), found


def test_orphans_are_reaped_and_the_root_cannot_be_written_to(
    image: Callable[[str], Image], place: Path
) -> None:
    container = Container(image("agent-only"), place / "orphans", command=["sleep", "300"])
    running = container.process()
    running.start()
    try:
        eventually(lambda: alive(container), timeout=30, what=running.tail)
        container.execute("sh", "-c", "(sleep 0.3 & echo $! >/tmp/orphan) && exit 0")
        gone = "p=$(cat /tmp/orphan); test ! -e /proc/$p"
        eventually(
            lambda: says(container, f"{gone} && echo gone") == "gone", timeout=20, what="the orphan is reaped"
        )
        assert says(container, "touch /opt/x 2>/dev/null || echo refused") == "refused"
        assert says(container, "id -u") == str(USER)
        assert says(container, "grep CapEff /proc/self/status").split()[-1].strip("0") == ""
    finally:
        running.stop(grace=20)


def test_a_plane_an_agent_and_a_dag(image: Callable[[str], Image], place: Path) -> None:
    url, password, plane = started_plane(image("plane"), place)
    try:
        with httpx.Client(base_url=url, timeout=60) as http:
            answer = http.post("/auth/token", json={"username": "admin", "password": password})
            http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            rest = AirflowRest(http)
            token = http.post("/tradewind/v1/tokens", json={"name": "first"}).json()["token"]
            run_dags(image("agent-slim"), place, url, token, rest)
    finally:
        for each in plane:
            each.stop(grace=30)


def run_dags(image: Image, place: Path, url: str, token: str, rest: AirflowRest) -> None:
    state, dags = folder(place / "state"), folder(place / "dags")
    (dags / "dags.py").write_text(DAG)
    secret = place / "token"
    secret.write_text(token)
    os.chown(secret, USER, 0)
    secret.chmod(0o400)
    bundle = {
        "name": "dags",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": "/dags"},
    }
    container = Container(
        image,
        place / "agent",
        env={
            "TRADEWIND_AGENT_PLANE_URL": url,
            "TRADEWIND_AGENT_TOKEN_FILE": "/run/token",
            "TRADEWIND_AGENT_NAME": "in-a-container",
            "TRADEWIND_AGENT_METRICS_PORT": "0",
            "TRADEWIND_AGENT_BUNDLES": json.dumps([bundle]),
        },
        mounts={"/var/lib/tradewind": state, "/dags": dags, "/run/token": secret},
    )
    agent = container.process()
    began = time.monotonic()
    agent.start()
    try:
        eventually(lambda: state_of(rest) == "healthy", timeout=120, what=agent.tail)
        print(f"\nhealthy after {time.monotonic() - began:.1f} s")
        rest.wait_for_dags(["hello", "slow"])
        assert rest.run("hello").state == "success", agent.tail()
        run = rest.trigger("slow")
        eventually(lambda: (state / "mark.began").exists(), timeout=60, what=agent.tail)
        agent.stop(grace=60)  # SIGTERM: what runs may end
        assert agent.exit_code == 0, agent.tail()
        assert (state / "mark.ended").exists(), "the task ended before the agent did"
        assert rest.wait_for_run("slow", run).state == "success"
    finally:
        agent.stop(grace=10)


def started_plane(image: Image, place: Path) -> tuple[str, str, list[LocalProcess]]:
    """Its address, the password of admin, and its processes."""
    home = folder(place / "plane-home")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {
        "AIRFLOW__CORE__FERNET_KEY": "0" * 43 + "=",
        "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
        "AIRFLOW__API__SECRET_KEY": "k" * 32,
        "AIRFLOW__API__BASE_URL": url,
    }

    def container(name: str, *command: str) -> LocalProcess:
        mounts = {"/var/lib/airflow": home}
        return Container(image, place / name, command=["airflow", *command], env=env, mounts=mounts).process()

    migrate = container("migrate", "db", "migrate")
    migrate.start()
    assert migrate.wait(300) == 0, migrate.tail()
    running = [
        container("api", "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        container("scheduler", "scheduler"),
    ]
    for each in running:
        each.start()
    eventually(lambda: healthy(url), timeout=120, what=lambda: "\n".join(each.tail() for each in running))
    generated = home / "simple_auth_manager_passwords.json.generated"
    return url, json.loads(generated.read_text())["admin"], running


def healthy(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/api/v2/monitor/health", timeout=10)
        return answer.is_success and answer.json()["scheduler"]["status"] == "healthy"
    except httpx.HTTPError:
        return False


def state_of(rest: AirflowRest) -> str:
    found = rest.http.get("/tradewind/v1/agents").json()["items"]
    return str(found[0]["state"]) if found else ""


def alive(container: Container) -> bool:
    done = subprocess.run(["runc", "state", container.name], capture_output=True, text=True, check=False)
    return done.returncode == 0 and json.loads(done.stdout)["status"] == "running"


def says(container: Container, script: str) -> str:
    try:
        return container.execute("sh", "-c", script).strip()
    except AssertionError:
        return ""
