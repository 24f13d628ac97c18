"""The order of events of the demo, from an empty directory to runs that have succeeded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tradewind.demo import site
from tradewind.demo.runs import ALL, Runs, RunView
from tradewind.demo.show import Show
from tradewind.embedded.agent import Agent, AgentSettings
from tradewind.embedded.plane import Plane, PlaneSettings
from tradewind.operator_client import OperatorClient
from tradewind_protocol import operator, states

_ASK_EVERY = 0.5  # seconds between looks at the plane


class DemoFailed(Exception):
    """The demo did not get where it should have. Carries the reason and the logs that matter."""

    def __init__(self, reason: str, *logs: tuple[str, str]) -> None:
        super().__init__(reason)
        self.logs = [(name, text) for name, text in logs if text.strip()]


@contextmanager
def stage(directory: Path, show: Show, *, port: int) -> Iterator[tuple[Plane, Agent]]:
    """A plane and one agent, running; both are gone afterwards."""
    plane = Plane(PlaneSettings(home=directory / "plane", port=port))
    with ExitStack() as stack:
        stack.callback(plane.stop)
        try:
            plane.configure()
            with show.doing("migrating the plane's database (SQLite)"):
                plane.migrate()
            with show.doing("starting the plane: one API server, one scheduler"):
                plane.start()
        except (RuntimeError, TimeoutError) as problem:
            raise DemoFailed(f"the plane did not start: {problem}") from problem
        show.say(f"the plane is up at {plane.url}: sign in as admin with {plane.passwords['admin']}")
        agent = stack.enter_context(_agent(plane, directory / "site", show))
        yield plane, agent


def _agent(plane: Plane, home: Path, show: Show) -> Agent:
    dags = home / "dags"
    names = ", ".join(path.name for path in site.write_dags(dags))
    with OperatorClient(plane.url, token=plane.sign_in()) as client:
        made = client.create_token(operator.NewToken(name="demo", expires_in_days=1))
    show.say(f"made agent token {made.prefix or 'demo'} over the operator API")
    show.say(f"starting an agent with that token and the plane's address; only it has {names}")
    return Agent(
        AgentSettings(home=home, plane_url=plane.url, token=made.token, name="demo-agent", dags=dags)
    )


def run(plane: Plane, agent: Agent, show: Show, *, timeout: float) -> None:
    """Start the demo's Dags and watch them to their end. Raises DemoFailed unless all have succeeded."""
    deadline = time.monotonic() + timeout
    with plane.client() as http, OperatorClient(plane.url, token=plane.sign_in()) as client:
        runs = Runs(http)

        def failed(reason: str) -> DemoFailed:
            return DemoFailed(reason, *_evidence(plane, agent, runs))

        def wait(what: str, done: Callable[[], bool]) -> None:
            while not done():
                if time.monotonic() > deadline:
                    raise failed(f"{what}: not within {timeout:g} s")
                _check_alive(plane, agent, failed)
                time.sleep(_ASK_EVERY)

        with show.doing("waiting for the agent to open its session"):
            wait("the agent opens its session", lambda: _is_present(client))
        with show.doing("waiting for the agent to send its Dags"):
            wait("the agent sends its Dags", lambda: not runs.missing())
        runs.start()
        show.say(f"started {len(ALL)} Dags: {', '.join(ALL)}")

        views: list[RunView] = []
        with show.watching() as watch:

            def all_ended() -> bool:
                views[:] = runs.views()
                watch(views)
                return all(view.ended for view in views) or any(view.state == "failed" for view in views)

            wait("every run ends", all_ended)
        lost = [view.dag_id for view in views if not view.succeeded]
        if lost:
            raise failed(f"{', '.join(lost)} did not succeed")
        done = sum(view.done for view in views)
        show.say(f"all {len(views)} Dags succeeded: {done} tasks, every one of them run by the agent")


def watch_over(plane: Plane, agent: Agent) -> None:
    """Return only when something of the demo ends by itself. Raises DemoFailed with its last words."""
    while True:
        _check_alive(plane, agent, DemoFailed)
        time.sleep(1)


def _is_present(client: OperatorClient) -> bool:
    present = {states.AgentState.HEALTHY, states.AgentState.DEGRADED}
    return any(agent.state in present for agent in client.agents().items)


def _check_alive(plane: Plane, agent: Agent, failed: Callable[..., DemoFailed]) -> None:
    for process in (*plane.all_processes, agent.process):
        if not process.running:
            problem = failed(f"{process.name} ended with exit code {process.exit_code}")
            problem.logs[:0] = [(process.name, process.tail())]
            raise problem


def _evidence(plane: Plane, agent: Agent, runs: Runs) -> list[tuple[str, str]]:
    """The logs that explain a failure, as far as they can be had."""
    found = [(process.name, process.tail(15)) for process in (agent.process, *plane.all_processes)]
    try:
        failures = runs.failures()
        found += [("Dag file", error) for error in runs.import_errors()]
    except Exception as problem:  # the plane may be what failed; its log is above
        return [*found, ("the plane's API", str(problem))]
    for one in failures:
        name = f"{one['dag_id']}.{one['task_id']} (map {one['map_index']}, try {one['try_number']})"
        found.append((name, _task_log(agent.home, one) or f"no log; state {one['state']}"))
    return found


def _task_log(home: Path, one: dict[str, object]) -> str:
    """The tail of a task's own log, which lies on the site's disk and nowhere else."""
    pattern = f"dag_id={one['dag_id']}/run_id={one['dag_run_id']}/task_id={one['task_id']}"
    for folder in home.rglob(f"task_id={one['task_id']}"):
        if str(folder).endswith(pattern):
            logs = sorted(folder.rglob("*.log"), key=lambda path: path.stat().st_mtime)
            if logs:
                return "\n".join(logs[-1].read_text(errors="replace").splitlines()[-15:])
    return ""
