"""What the page Register shows is run as it stands, with the distributions' wheels, and a Dag from Git runs there.

Not run here: PID 1 of systemd, a daemon of containers, a cluster. Their recipes are run as far as the commands of a
shell go, and what those programs then start is started in the way they do it.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import built, git_server, installed, namespace
from support.airflow_rest import AirflowRest, eventually
from tradewind.embedded.plane import Plane
from tradewind.embedded.processes import LocalProcess

pytestmark = pytest.mark.timeout(900)

DAG = """
from airflow.sdk import dag, task

@dag(dag_id="NAME", schedule=None)
def of_a_recipe():
    @task
    def made() -> list[int]:
        return [1, 2, 3]

    @task
    def summed(numbers: list[int]) -> int:
        assert numbers == [1, 2, 3]
        return sum(numbers)

    summed(made())

of_a_recipe()
"""

HOSTILE = """
import os
import pwd
from pathlib import Path
from airflow.sdk import dag, task

OWN = ("airflow", "bundles", "state", "task-logs", "xcom")

def works(action, *arguments):
    try:
        action(*arguments)
    except OSError:
        return False
    return True

def got() -> list[str]:
    agent = pwd.getpwnam("tradewind").pw_uid
    found = []
    state = Path("/var/lib/tradewind")
    secrets = ["agent-key", "agent-id", "site.key", "outbox.sqlite", "agent.lock"]
    for file in (*(state / one for one in secrets), Path("/etc/tradewind/token"), Path("/etc/tradewind/agent.toml")):
        found += [f"opened {file}"] if works(file.open, "rb") else []
    for top in ("/etc/tradewind", state, *(state / one for one in ("ledger", "logs", *OWN))):
        for folder, _, files in os.walk(top):
            found += [f"opened {folder}/{name}" for name in files if works((Path(folder) / name).read_bytes)]
            found += [f"may write to {folder}"] if os.access(folder, os.W_OK) else []
    found += ["unlinked the socket"] if works(os.unlink, "/var/lib/tradewind/gateway.sock") else []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid not in (agent, 0) or (process / "stat").read_text().split()[2] == "Z":
                continue
        except (FileNotFoundError, ProcessLookupError):
            continue
        for name in ("environ", "mem"):
            found += [f"read {name} of the agent"] if works((process / name).open, "rb") else []
        found += ["may signal the agent"] if works(os.kill, int(process.name), 0) else []
    found += [f"became {uid}" for uid in (0, agent) if works(os.setuid, uid)]
    return found

@dag(dag_id="systemd-1-hostile", schedule=None)
def hostile():
    @task
    def tries() -> dict:
        (Path.home() / "kept").write_text("a file of the task")
        status = Path("/proc/self/status").read_text()
        rights = [line.split()[1].strip("0") for line in status.splitlines() if line.startswith("Cap") and "Bnd" not in line]
        return {"got": got(), "user": Path.home().owner(), "uid": os.getuid(), "rights": "".join(rights)}

    @task
    def tells(tried: dict) -> None:
        assert (Path.home() / "kept").read_text() == "a file of the task"
        import json
        print("tried:", json.dumps(tried))

    tells(tries())

hostile()
"""


NAMES = ("host-1", "systemd-1", "container-1")


@pytest.fixture(scope="module")
def plane(directory: Path) -> Iterator[Plane]:
    with Plane(installed.plane_settings(home=directory / "recipes-plane")) as running:
        yield running


@pytest.fixture(scope="module")
def rest(plane: Plane) -> Iterator[AirflowRest]:
    with plane.client() as http:
        yield AirflowRest(http)


@pytest.fixture(scope="module")
def repository(directory: Path) -> Iterator[str]:
    """Its address."""
    (directory / "recipes-git").mkdir()
    made = git_server.Repository(directory / "recipes-git")
    for name in NAMES:  # a Dag for each, because a Dag belongs to one site's bundle
        (made.clone / name).mkdir()
    dags = {f"{name}/of_a_recipe.py": DAG.replace("NAME", name) for name in NAMES}
    made.commit({**dags, "systemd-1/hostile.py": HOSTILE})
    with git_server.over_http(made) as url:
        yield url


@pytest.fixture(scope="module")
def dist(directory: Path) -> Path:
    """The folder with the packages."""
    return built.build(directory / "dist", "--without-sboms")


class Site:
    """A person at a site, with the page Register in front of them."""

    def __init__(
        self, rest: AirflowRest, plane: Plane, name: str, repository: str, dist: Path, **more: Any
    ) -> None:
        bundle = {"name": name, "repository": repository, "folder": name}
        ask = {
            "plane_url": plane.url,
            "name": name,
            "bundle": bundle,
            "image": "registry.example.com/etl:7",
            "packages": str(dist),
            **more,
        }
        answer = rest.http.post("/tradewind/v1/recipes", json=ask).json()
        assert answer["problems"] == []
        self.recipes = {each["key"]: each["steps"] for each in answer["recipes"]}
        made = rest.http.post("/tradewind/v1/tokens", json={"name": name, "site": name})
        assert made.is_success, made.text
        self.token = str(made.json()["token"])

    def texts(self, key: str, *, until: str) -> list[str]:
        """The commands of a recipe before the one called `until`; the step that reads a token is given it."""
        steps = self.recipes[key]
        found = []
        for step in steps[: [each["what"] for each in steps].index(until)]:
            text = step["text"]
            if step["what"] == "token file command":
                text = f"{{ {text}\n}} <<'PASTED'\n{self.token}\nPASTED"
            found.append(text)
        return found

    def text(self, key: str, what: str) -> str:
        return next(str(each["text"]) for each in self.recipes[key] if each["what"] == what)


def pip() -> dict[str, str]:
    """pip as a person has it."""
    return {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_"))}


def arrives(rest: AirflowRest, name: str, agent: LocalProcess) -> None:
    """The agent is healthy, and its Dag runs."""

    def state() -> str:
        found = rest.http.get("/tradewind/v1/agents", params={"name": name}).json()["items"]
        return f"{found[0]['state']}: {found[0]['findings']}" if found else "not there"

    eventually(lambda: state().startswith("healthy"), timeout=180, what=lambda: f"{state()}; {agent.tail()}")
    rest.wait_for_dags([name])
    run = rest.run(name)
    assert run.state == "success", run


def test_on_a_host(rest: AirflowRest, plane: Plane, repository: str, dist: Path, directory: Path) -> None:
    site = Site(rest, plane, "host-1", repository, dist)
    home = directory / "host-home"
    home.mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **pip()}
    script = "\n".join([*site.texts("host", until="start command"), "pwd > where"])
    ran = subprocess.run(
        ["bash", "-euc", script], env=env, cwd=home, text=True, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-5000:]
    place = home / "tradewind" / "host-1"
    assert (place / "where").read_text().strip() == str(place)
    assert (place / "agent-token").stat().st_mode & 0o777 == 0o600
    agent = LocalProcess(
        "host agent",
        ["bash", "-euc", "exec " + site.text("host", "start command")],
        env=env,
        cwd=place,
        log=directory / "host.log",
    )
    agent.start()
    try:
        arrives(rest, "host-1", agent)
        assert (place / "state").stat().st_mode & 0o777 == 0o700
    finally:
        agent.stop(grace=60)


PORT = {"TRADEWIND_AGENT_METRICS_PORT": "0"}  # the machine's, which other tests' agents may have taken
SUDO = 'if [ "$1" = -u ]; then user=$2; shift 2; exec runuser -u "$user" -- "$@"; fi\nexec "$@"\n'
IMAGE = "/opt/airflow"  # where the machine has what the image's Python would have


@pytest.fixture(scope="module")
def machine(directory: Path) -> namespace.Machine:
    """A machine that the tests below write to. What an image brings from Debian it has already."""
    if reason := namespace.available():
        pytest.skip(reason)
    commands = {"sudo": SUDO, "apt-get": "", "pip": f'exec {IMAGE}/bin/pip "$@"'}
    return namespace.Machine(directory / "machine", commands=commands)


def test_as_a_service_of_systemd(
    rest: AirflowRest,
    plane: Plane,
    repository: str,
    dist: Path,
    directory: Path,
    machine: namespace.Machine,
) -> None:
    site = Site(rest, plane, "systemd-1", repository, dist)
    machine.run("\n".join(site.texts("systemd", until="start command")), cwd=directory, **pip())

    unit = machine.written("/etc/systemd/system/tradewind-agent.service")
    read = configparser.ConfigParser(interpolation=None, strict=False)
    read.optionxform = str  # type: ignore[assignment]
    read.read(unit)
    service = read["Service"]
    assert machine.run("stat -c '%U %a' /etc/tradewind/token").strip() == "tradewind 400"
    assert machine.run("stat -c '%G %a' /etc/tradewind/agent.toml").strip() == "tradewind 640"
    assert site.token not in machine.run("cat /etc/tradewind/agent.toml")
    if shutil.which("systemd-analyze"):
        machine.run("systemd-analyze verify /etc/systemd/system/tradewind-agent.service")

    # what systemd does with this unit
    user = service["User"]
    capabilities = service["AmbientCapabilities"].split()
    state = f"/var/lib/{service['StateDirectory']}"
    machine.run(f"install -d -o {user} -g {user} -m {service['StateDirectoryMode']} {state}")
    started = namespace.as_user(user, shlex.split(service["ExecStart"]), capabilities=capabilities)
    agent = LocalProcess(
        "systemd agent",
        machine.command(*started),
        env=machine.env(HOME=state, USER=user, **PORT),
        cwd=Path("/"),
        log=directory / "systemd.log",
    )
    agent.start()
    try:
        arrives(rest, "systemd-1", agent)
        assert machine.run(f"stat -c '%U %a' {state}").strip() == "tradewind 711"
        _a_hostile_task_gets_nothing(rest, machine, agent)
    finally:
        agent.stop(grace=60)


def _a_hostile_task_gets_nothing(rest: AirflowRest, machine: namespace.Machine, agent: LocalProcess) -> None:
    """It has its values, its log and its files, and nothing of the agent's."""
    rest.wait_for_dags(["systemd-1-hostile"])
    run = rest.run("systemd-1-hostile")
    of_task = f"/dags/systemd-1-hostile/dagRuns/{run.run_id}/taskInstances"
    logs = {one: rest.get(f"{of_task}/{one}/logs/1")["content"] for one in ("tries", "tells")}
    assert run.state == "success", logs
    [said] = [line["event"] for line in logs["tells"] if line["event"].startswith("tried: ")]
    tried = json.loads(said.removeprefix("tried: "))
    uid = int(machine.run("id -u tradewind-tasks"))
    assert (tried["uid"], tried["user"], tried["rights"]) == (uid, "tradewind-tasks", "")
    own = "(airflow|bundles|state|task-logs|xcom)"
    assert tried["got"], "it finds what is its own"
    assert [one for one in tried["got"] if not re.search(f" /var/lib/tradewind/{own}(/|$)", one)] == []
    assert agent.running


def test_in_a_container(
    rest: AirflowRest,
    plane: Plane,
    repository: str,
    dist: Path,
    directory: Path,
    machine: namespace.Machine,
) -> None:
    """The image's commands run on the machine, and the container is its mounts, its user and its command."""
    site = Site(rest, plane, "container-1", repository, dist)
    here = directory / "container"
    here.mkdir()
    if not machine.written(IMAGE).exists():
        machine.run(f"python3 -m venv --upgrade-deps {IMAGE}", **pip())
    texts = site.texts("container", until="start command")
    build = shlex.split(site.text("container", "build command"))
    assert build == ["docker", "build", "--tag", "registry.example.com/etl:7", "."]
    machine.run("\n".join(one for one in texts if not one.startswith("docker build")), cwd=here)

    lines = (here / "Dockerfile").read_text().replace("\\\n", "").splitlines()
    image = [line.partition(" ")[::2] for line in lines]
    verbs = dict(image)
    assert re.fullmatch(r"python:3\.\d+-slim", verbs["FROM"])
    # an image begins without what the recipe of systemd made
    machine.run(
        "userdel tradewind 2>/dev/null || true; rm -rf /etc/tradewind /var/lib/tradewind /home/tradewind"
    )
    for verb, command in image:
        if verb == "COPY":
            source, target = command.split()
            machine.run(f"mkdir -p {target} && cp -R {here / source}/. {target}/")
        if verb == "RUN":
            machine.run(command.replace("rm -rf /var/lib/apt/lists/*", "true"), **pip())

    run = shlex.split(site.text("container", "start command").replace("\\\n", "").replace("$PWD", str(here)))
    flags = argparse.ArgumentParser()
    flags.add_argument("docker")
    flags.add_argument("run")
    flags.add_argument("--detach", action="store_true")
    for name in ("--name", "--restart", "--stop-timeout", "--user", "--cap-drop", "--security-opt"):
        flags.add_argument(name)
    for name in ("--volume", "--cap-add"):
        flags.add_argument(name, action="append", default=[])
    flags.add_argument("image")
    flags.add_argument("command", nargs=argparse.REMAINDER)
    asked = flags.parse_args(run)
    assert asked.image == "registry.example.com/etl:7"
    mounts = []
    for volume in asked.volume:
        source, inside, *mode = volume.split(":")
        if source.startswith("/"):
            mounts += [f"mkdir -p $(dirname {inside}) && touch {inside} && mount --bind {source} {inside}"]
            mounts += [f"mount -o remount,bind,ro {inside}"] if mode == ["ro"] else []
        else:
            assert inside == "/var/lib/tradewind"  # a new volume begins as the image's folder
    assert (asked.user, asked.cap_drop, asked.security_opt) == ("0", "ALL", "no-new-privileges")
    added = ",".join(f"+{one.lower()}" for one in asked.cap_add)
    started = [
        "setpriv",
        "--inh-caps=-all",
        f"--bounding-set=-all,{added}",
        "--clear-groups",
        "--no-new-privs",
        "--",
    ]
    [(name, _, value)] = [command.partition("=") for verb, command in image if verb == "ENV"]
    script = "\n".join([*mounts, 'exec "$@"'])
    agent = LocalProcess(
        "container agent",
        machine.command("bash", "-euc", script, "bash", *started, *asked.command),
        env={
            **machine.env(HOME="/root", **PORT),
            name: value,
            "PATH": f"{IMAGE}/bin:/usr/bin:/bin:/usr/sbin",
        },
        cwd=Path("/"),
        log=directory / "container.log",
    )
    agent.start()
    try:
        arrives(rest, "container-1", agent)
    finally:
        agent.stop(grace=60)
