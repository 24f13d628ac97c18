"""The images, run as the restricted Pod Security Standard would run them: a plane, an agent, a Dag, a drain.

`TRADEWIND_TEST_IMAGES=tag` takes images that are built already under that tag. Otherwise they are built, on the base that
`BASE` names; without one, a base is made of Debian's packages.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest

from support import containers, directories
from support.airflow_rest import AirflowRest
from support.containers import USER, Container, Image, size_of
from support.installed import ROOT
from support.patience import eventually, stretched
from tradewind.embedded.plane import free_port
from tradewind.embedded.processes import LocalProcess

pytestmark = [pytest.mark.images, pytest.mark.timeout(2400)]

MEGABYTE = 1024 * 1024
MOST = {"agent-only": 150, "agent-slim": 450, "agent": 820, "plane": 400}
"""Megabytes unpacked, on the base of Debian's packages."""
OF_TASKS = 600
"""Megabytes of the largest task environment."""
ENVIRONMENTS = {
    "agent-only": ("tradewind",),
    "agent-slim": ("tradewind", "tasks"),
    "agent": ("tradewind", "tasks"),
    "plane": ("airflow",),
}
DAG = Path(__file__).parent / "dags" / "in_images.py"

FOUR = ("CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID")


@pytest.fixture(scope="session")
def image() -> Iterator[Callable[[str], Image]]:
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
            tasks = size_of(made[target].root / "opt" / "tasks") / MEGABYTE
            print(
                f"\n{target}: {made[target].size / MEGABYTE:.0f} MB unpacked, its tasks' environment {tasks:.0f} MB"
            )
        return made[target]

    yield get
    for each in made.values():
        each.unmount()


@cache
def of_debian() -> str:
    """A base of Debian's packages, made once a session."""
    name = "localhost/tradewind-base:test"
    subprocess.run([ROOT / "images/base", name], check=True)
    return name


def build(target: str, name: str, *, builder: str = "buildah") -> None:
    # an isolation that needs no runtime and no control groups
    env = {"BUILDAH_ISOLATION": "chroot", **os.environ, "BUILDER": builder}
    env["BASE"] = env.get("BASE") or of_debian()
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
    assert size_of(own) < 50 * MEGABYTE, "what the agent adds to its base"
    labels = agent.config["Labels"]
    assert isinstance(labels, dict)
    assert labels["org.opencontainers.image.version"] == (ROOT / "VERSION").read_text().strip()
    assert agent.config["User"] == f"{USER}:0"


@pytest.mark.parametrize("target", MOST)
def test_an_image_is_small_and_has_no_compiler_and_no_caches(
    image: Callable[[str], Image], target: str
) -> None:
    made = image(target)
    for found in (
        "usr/bin/gcc",
        "usr/bin/cc",
        "root/.cache",
        "var/lib/apt/lists/*_Packages",
        "var/cache/apt/*.bin",
        "var/cache/apt/archives/*.deb",
        "opt/dist",
    ):
        assert not list(made.root.glob(found)), found
    if "BASE" not in os.environ:
        assert made.size <= MOST[target] * MEGABYTE
        assert size_of(made.root / "opt" / "tasks") <= OF_TASKS * MEGABYTE


@pytest.mark.parametrize("target", MOST)
def test_an_image_lists_the_packages_of_each_environment(image: Callable[[str], Image], target: str) -> None:
    root = image(target).root
    assert {path.name for path in root.glob("usr/share/sbom/*")} == {
        f"{name}.cdx.json" for name in ENVIRONMENTS[target]
    }
    for name in ENVIRONMENTS[target]:
        told = json.loads((root / f"usr/share/sbom/{name}.cdx.json").read_text())
        listed = {normalised(each["name"]) for each in told["components"]}
        installed = {
            normalised(path.name.partition("-")[0])
            for path in root.glob(f"opt/{name}/lib/python*/site-packages/*.dist-info")
        }
        assert listed == installed
        assert len(listed) > 20


def test_podman_builds_the_same_image(image: Callable[[str], Image]) -> None:
    if shutil.which("podman") is None:
        pytest.skip("no podman on this machine: `make containers`")
    name = "localhost/tradewind-agent-only:podman"
    build("agent-only", name, builder="podman")
    assert containers.described(name) == image("agent-only").config


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


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


@dataclass
class Site:
    """A plane in containers, and what an agent in a container is given."""

    rest: AirflowRest
    place: Path
    env: dict[str, str]

    @property
    def state(self) -> Path:
        return self.place / "state"

    def agent(self, image: Image, name: str) -> LocalProcess:
        """Not started yet."""
        mounts = {
            "/var/lib/tradewind": self.state,
            "/dags": self.place / "dags",
            "/run/token": self.place / "token",
        }
        return Container(image, self.place / name, env=self.env, mounts=mounts).process()

    def wait_healthy(self, agent: LocalProcess) -> None:
        eventually(lambda: self._state() == "healthy", timeout=120, what=agent.tail)

    def start_slow(self, agent: LocalProcess, *, seconds: int) -> str:
        for mark in self.state.glob("mark.*"):
            mark.unlink()
        run = self.rest.trigger("slow", conf={"seconds": seconds})
        eventually(lambda: (self.state / "mark.began").exists(), timeout=60, what=agent.tail)
        return run

    def _state(self) -> str:
        found = self.rest.http.get("/tradewind/v1/agents").json()["items"]
        return str(found[0]["state"]) if found else ""


@pytest.fixture(scope="module")
def site(image: Callable[[str], Image]) -> Iterator[Site]:
    with directories.short("tw-i-") as place:
        url, password, plane = started_plane(image("plane"), place)
        try:
            with httpx.Client(base_url=url, timeout=60) as http:
                answer = http.post("/auth/token", json={"username": "admin", "password": password})
                http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
                token = http.post("/tradewind/v1/tokens", json={"name": "first"}).json()["token"]
                yield given(place, url, token, AirflowRest(http))
        finally:
            for each in plane:
                each.stop(grace=30)


def given(place: Path, url: str, token: str, rest: AirflowRest) -> Site:
    folder(place / "state")
    (folder(place / "dags") / "dags.py").write_text(DAG.read_text())
    secret = place / "token"
    secret.write_text(token)
    os.chown(secret, USER, 0)
    secret.chmod(0o400)
    bundle = {
        "name": "dags",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": "/dags"},
    }
    env = {
        "TRADEWIND_AGENT_PLANE_URL": url,
        "TRADEWIND_AGENT_TOKEN_FILE": "/run/token",
        "TRADEWIND_AGENT_NAME": "in-a-container",
        "TRADEWIND_AGENT_METRICS_PORT": "0",
        "TRADEWIND_AGENT_BUNDLES": json.dumps([bundle]),
    }
    return Site(rest, place, env)


def test_a_dag_with_pandas_runs_and_sigterm_drains(image: Callable[[str], Image], site: Site) -> None:
    agent = site.agent(image("agent"), "drains")
    agent.start()
    try:
        site.wait_healthy(agent)
        site.rest.wait_for_dags(["frames", "slow"])
        assert site.rest.run("frames").state == "success", agent.tail()
        run = site.start_slow(agent, seconds=8)
        agent.stop(grace=60)  # SIGTERM: what runs may end
        assert agent.exit_code == 0, agent.tail()
        assert (site.state / "mark.ended").exists(), "the task ended before the agent did"
        assert site.rest.wait_for_run("slow", run).state == "success"
    finally:
        agent.stop(grace=10)


def test_a_second_sigterm_ends_what_runs(image: Callable[[str], Image], site: Site) -> None:
    agent = site.agent(image("agent"), "ends")
    agent.start()
    try:
        site.wait_healthy(agent)
        site.rest.wait_for_dags(["slow"])
        run = site.start_slow(agent, seconds=3600)
        agent.signal(signal.SIGTERM)
        eventually(lambda: "drain_requested" in agent.log.read_text(), timeout=30, what=agent.tail)
        agent.signal(signal.SIGTERM)
        agent.wait(stretched(60))
        assert not (site.state / "mark.ended").exists()
        assert site.rest.wait_for_run("slow", run).state == "failed"
    finally:
        agent.stop(grace=10)


def test_where_root_starts_the_agent_tasks_are_another_user(
    image: Callable[[str], Image], site: Site
) -> None:
    """As the chart does with `taskUser`: volumes and Secrets are root's, and the container has four capabilities."""
    state, temporary, token = (
        site.place / "state-of-root",
        site.place / "tmp-of-root",
        site.place / "token-of-root",
    )
    for each in (state, temporary):
        each.mkdir()
        each.chmod(0o777)  # as an emptyDir
    (temporary / "of-root").touch()
    token.write_text((site.place / "token").read_text())
    token.chmod(0o440)
    mounts = {
        "/var/lib/tradewind": state,
        "/dags": site.place / "dags",
        "/run/token": token,
        "/tmp": temporary,
    }
    container = Container(
        image("agent"), site.place / "as-root", env=site.env, mounts=mounts, user=0, capabilities=FOUR
    )
    agent = container.process()
    agent.start()
    try:
        site.wait_healthy(agent)
        site.rest.wait_for_dags(["hostile"])
        assert site.rest.run("hostile").state == "success", agent.tail()
        assert (state / "xcom" / "mark.tried").stat().st_uid == USER + 1
        assert (state / "outbox.sqlite").stat().st_uid == USER
        assert "\nready\n" in container.execute("tradewind-agent", "status"), (
            "root reads the agent's files as the agent"
        )
        assert "tasks run as user tradewind-tasks" in container.execute(
            "sh", "-c", "tradewind-agent doctor || true"
        )
        agent.stop(grace=60)
        assert agent.exit_code == 0, agent.tail()
    finally:
        agent.stop(grace=10)


def test_from_the_pull_of_an_image_to_a_healthy_agent(image: Callable[[str], Image], site: Site) -> None:
    """As a node does that has no image yet. The registry is a folder in the OCI's layout: no network is measured."""
    layout = site.place / "layout"
    image("agent").exported(layout)
    began = time.monotonic()
    pulled = Image.pulled(layout, site.place / "node")
    there = time.monotonic()
    agent = site.agent(pulled, "pulled")
    agent.start()
    try:
        site.wait_healthy(agent)
        healthy = time.monotonic()
        site.rest.wait_for_dags(["frames"])
        assert site.rest.run("frames").state == "success", agent.tail()
    finally:
        agent.stop(grace=30)
        pulled.unmount()
    print(
        f"\nagent: {there - began:.1f} s to pull and unpack, {healthy - there:.1f} s from its start to healthy"
    )


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


def alive(container: Container) -> bool:
    done = subprocess.run(["runc", "state", container.name], capture_output=True, text=True, check=False)
    return done.returncode == 0 and json.loads(done.stdout)["status"] == "running"


def says(container: Container, script: str) -> str:
    try:
        return container.execute("sh", "-c", script).strip()
    except AssertionError:
        return ""
