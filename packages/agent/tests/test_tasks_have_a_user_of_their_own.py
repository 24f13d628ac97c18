"""With `run_as`, a task is another user than its agent: what is the agent's, a hostile task does not get at."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import site
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from process_kit import AgentProcess, interpreter

from support import directories
from tradewind_agent.errors import SettingsWrong
from tradewind_agent.settings import Settings
from tradewind_agent.state import task_users
from tradewind_agent.testing import FakePlane
from tradewind_protocol.states import OutcomeKind

AGENT, TASKS = "daemon", "nobody"
"""Two users that every Linux has."""

PYTHON = next((one for one in ("/usr/bin/python3",) if os.access(one, os.X_OK)), "")
SAME = f"{sys.version_info[0]}.{sys.version_info[1]}"
CAPABILITIES = "+chown,+kill,+setgid,+setuid"

pytestmark = [
    pytest.mark.process,
    pytest.mark.timeout(60),
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or not PYTHON,
        reason="becoming other users needs root, on Linux",
    ),
]

HOSTILE = """
import json, os, socket, sys
agent, state, token, result = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
tried = {}
def attempt(name, action):
    try:
        action()
        tried[name] = "done"
    except Exception as error:
        tried[name] = type(error).__name__
for name in ("agent-key", "agent-id", "site.key", "outbox.sqlite", "agent.lock", "agent.json"):
    attempt("read " + name, lambda: open(f"{state}/{name}", "rb").read())
attempt("read token", lambda: open(token).read())
attempt("forge", lambda: __import__("sqlite3").connect(f"{state}/outbox.sqlite").execute("delete from entry"))
attempt("list state", lambda: os.listdir(state))
attempt("list ledger", lambda: os.listdir(f"{state}/ledger"))
attempt("list logs", lambda: os.listdir(f"{state}/logs"))
attempt("write state", lambda: open(f"{state}/mine", "w"))
attempt("replace socket", lambda: os.unlink(f"{state}/gateway.sock"))
for name in ("environ", "mem", "cmdline-fd"):
    path = f"/proc/{agent}/fd" if name == "cmdline-fd" else f"/proc/{agent}/{name}"
    attempt("agent " + name, lambda: os.listdir(path) if name == "cmdline-fd" else open(path, "rb").read(1))
attempt("kill agent", lambda: os.kill(agent, 0))
attempt("become root", lambda: os.setuid(0))
attempt("become agent", lambda: os.setuid(os.stat(state).st_uid))
attempt("own log", lambda: open(f"{state}/task-logs/of-the-task.log", "w").write("log"))
attempt("own log that waits", lambda: open(f"{state}/task-logs-waiting/of-the-task.log", "w").write("log"))
attempt("own value", lambda: open(f"{state}/xcom/value", "w").write("value"))
connection = socket.socket(socket.AF_UNIX)
attempt("socket", lambda: connection.connect(f"{state}/gateway.sock"))
status = open("/proc/self/status").read()
tried["capabilities"] = [line.split()[1].strip("0") for line in status.splitlines() if line.startswith(("CapPrm", "CapEff", "CapAmb", "CapInh"))]
tried["user"], tried["groups"] = os.getuid(), os.getgroups()
open(result, "w").write(json.dumps(tried))
"""

ALLOWED = {"own log", "own log that waits", "own value", "socket"}


@pytest.fixture
def home() -> Iterator[Path]:
    with directories.short("twt-") as made:
        yield made


def readable_by_all() -> dict[str, str]:
    """Where an interpreter of the same version finds what this one has, as a user that may not enter its folder."""
    packages = Path(__file__).parents[2]
    paths = [*map(str, packages.glob("*/src")), *site.getsitepackages()]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def as_user(home: Path, plane: FakePlane) -> AgentProcess:
    """An agent that is no root, as its systemd unit starts it."""
    user = pwd.getpwnam(AGENT)
    through = (
        "setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        f"--groups={user.pw_gid},{pwd.getpwnam(TASKS).pw_gid}",
        f"--inh-caps=-all,{CAPABILITIES}",
        f"--ambient-caps=-all,{CAPABILITIES}",
        f"--bounding-set=-all,{CAPABILITIES}",
    )
    agent = AgentProcess(
        home,
        plane,
        executable=interpreter(home, python=PYTHON),
        through=through,
        python=PYTHON,
        env=readable_by_all(),
    )
    for path in (home, agent.token_file):
        os.chown(path, user.pw_uid, user.pw_gid)
    agent.token_file.chmod(0o600)
    return agent


def as_root(home: Path, plane: FakePlane) -> AgentProcess:
    return AgentProcess(home, plane, executable=interpreter(home, python=PYTHON), python=sys.executable)


def as_root_of_a_container(home: Path, plane: FakePlane) -> AgentProcess:
    """An agent that root starts with four capabilities, a state directory that is root's, and no `run_as`: it becomes the
    setting's user."""
    through = ("setpriv", "--inh-caps=-all", f"--bounding-set=-all,{CAPABILITIES}", "--no-new-privs")
    agent = AgentProcess(
        home,
        plane,
        executable=interpreter(home, python=PYTHON),
        through=through,
        python=PYTHON,
        env=readable_by_all(),
    )
    os.chown(agent.token_file, pwd.getpwnam(AGENT).pw_uid, 0)
    agent.state_dir.mkdir(mode=0o777)
    agent.state_dir.chmod(0o777)  # as the folder of a pod's volume
    agent.env |= {"TRADEWIND_AGENT_USER": AGENT}
    return agent


@pytest.mark.parametrize("start", [as_root, as_user, as_root_of_a_container])
async def test_a_hostile_task_gets_nothing_of_its_agent(home: Path, plane: FakePlane, start: Any) -> None:
    if start is not as_root and (not shutil.which("setpriv") or SAME not in os.path.realpath(PYTHON)):
        pytest.skip("there is no setpriv, or no Python of this version that all users can run")
    agent = start(home, plane)
    agent.env |= {"TRADEWIND_AGENT_RUN_AS": TASKS}
    result = agent.state_dir / "task-logs" / "result.json"
    async with agent:
        await agent.ready()
        work = plane.queue(
            argv=[
                PYTHON, "-c", HOSTILE,
                str(agent.process.pid), str(agent.state_dir), str(agent.token_file), str(result),
            ],
            wait=True,
        )  # fmt: skip
        await agent.until(lambda: work.outcomes)
        assert work.outcomes[0].kind is OutcomeKind.SUCCEEDED, agent.output()
        tried = json.loads(result.read_text())
        tasks = pwd.getpwnam(TASKS)
        assert (tried.pop("user"), tried.pop("groups")) == (tasks.pw_uid, [tasks.pw_gid])
        assert set(tried.pop("capabilities")) == {""}
        if start is not as_root:
            assert state_of(agent, "Uid") == {str(pwd.getpwnam(AGENT).pw_uid)}
            assert state_of(agent, "CapPrm", "CapEff") == {f"{0b11100001:016x}"}
            assert state_of(agent, "CapInh", "CapAmb") == {"0" * 16}
        assert {name for name, how in tried.items() if how == "done"} == ALLOWED, tried
        # what the task wrote, the agent reads and removes
        log = agent.state_dir / "task-logs" / "of-the-task.log"
        assert log.stat().st_uid == tasks.pw_uid
        assert log.stat().st_mode & 0o777 == 0o660
        assert log.parent.stat().st_mode & 0o7777 == 0o2770
        agent.process.terminate()
        assert await agent.ended() == 0, agent.output()


def state_of(agent: AgentProcess, *names: str) -> set[str]:
    """What the kernel says of the agent's process."""
    lines = Path(f"/proc/{agent.process.pid}/status").read_text().splitlines()
    return {value for line in lines if line.partition(":")[0] in names for value in line.split()[1:]}


async def test_an_agent_stops_a_task_of_another_user(home: Path, plane: FakePlane) -> None:
    agent = as_root(home, plane)
    agent.env |= {"TRADEWIND_AGENT_RUN_AS": TASKS}
    work = plane.queue(argv=[PYTHON, "-c", "import time; time.sleep(600)"])
    async with agent:
        await agent.until(lambda: work.starts)
        await agent.grown(2)
        agent.process.terminate()
        # two signals of one kind that nothing has taken yet are one signal (signal(7), "Queueing and delivery")
        await agent.until(lambda: plane.session.polls[-1][1].draining)
        agent.process.terminate()
        assert await agent.ended() == 0, agent.output()
    assert work.outcomes[0].kind is OutcomeKind.STOPPED


def settings(home: Path, **more: Any) -> Settings:
    token = home / "token"
    token.write_text("tw_agent_x")
    token.chmod(0o600)
    given = {"plane_url": "http://127.0.0.1:1", "token_file": token, "state_dir": home / "state"}
    return Settings(**{**given, "run_as": TASKS, **more})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"run_as": "nobody-has-this-name"}, "no user 'nobody-has-this-name'"),
        ({"run_as": "root"}, "is root"),
        ({"storage": "/srv/shared"}, "the site's key would lie in the folder"),
    ],
)
def test_a_user_that_separates_nothing_is_refused(home: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsWrong, match=said):
        task_users.prepare(settings(home, **more))


def test_a_token_that_tasks_can_read_is_refused(home: Path) -> None:
    wanted = settings(home)
    (home / "token").chmod(0o644)
    with pytest.raises(SettingsWrong, match="user nobody, as which tasks run, can read"):
        task_users.prepare(wanted)


def test_a_state_directory_of_before_is_shared_without_its_secrets(home: Path) -> None:
    state = home / "state"
    (state / "task-logs" / "dag_id=d").mkdir(parents=True)
    (state / "task-logs" / "dag_id=d" / "old.log").write_text("of before")
    (state / "outbox.sqlite").write_text("")
    (state / "ledger").mkdir(mode=0o755)
    with directories.umask(0o022):
        task_users.prepare(settings(home))
    tasks = pwd.getpwnam(TASKS)
    old = (state / "task-logs" / "dag_id=d" / "old.log").stat()
    assert (old.st_uid, old.st_gid) == (tasks.pw_uid, tasks.pw_gid)
    assert state.stat().st_mode & 0o777 == 0o711
    assert (state / "outbox.sqlite").stat().st_mode & 0o077 == 0
    assert (state / "ledger").stat().st_mode & 0o077 == 0


@pytest.mark.timeout(240)
async def test_the_real_processes_of_airflow_work_as_that_user(home: Path, plane: FakePlane) -> None:
    if SAME not in os.path.realpath(PYTHON):
        pytest.skip("there is no Python of this version that all users can run")
    python = home / "python-of-all"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{readable_by_all()["PYTHONPATH"]}" exec {PYTHON} "$@"\n')
    python.chmod(0o755)
    (home / "dags").mkdir()
    bundle = {"classpath": "airflow.dag_processing.bundles.local.LocalDagBundle"}
    bundles = [{"name": "dags", **bundle, "kwargs": {"path": str(home / "dags")}}]
    agent = AgentProcess(home, plane, executable=python)
    agent.options["components"] = "worker,dag_processor,triggerer"
    agent.env |= {"TRADEWIND_AGENT_RUN_AS": TASKS, "TRADEWIND_AGENT_BUNDLES": json.dumps(bundles)}
    async with agent:
        await agent.until(
            lambda: (
                plane.sessions and plane.session.polls and agent.output().count('"action": "host_ready"') == 3
            )
        )
        await agent.ready()
        users = {each.username() for each in agent.family()}
        assert users == {TASKS}, users
        mark = agent.state_dir / "xcom" / ".tradewind-storage"
        assert mark.owner() == TASKS
