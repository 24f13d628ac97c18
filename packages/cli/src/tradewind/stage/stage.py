"""The order of events on this machine, from an empty directory to runs that have succeeded."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tradewind.client.operator_client import OperatorClient
from tradewind.embedded.agent import Agent, AgentSettings
from tradewind.embedded.plane import Plane, PlaneSettings
from tradewind.stage.runs import Runs, RunView
from tradewind.stage.show import Show
from tradewind_protocol import operator, states

_ASK_EVERY = 0.5  # seconds between looks at the plane


class StageFailed(Exception):
    """It did not get where it should have. Carries the reason and the logs that matter."""

    def __init__(self, reason: str, *logs: tuple[str, str]) -> None:
        super().__init__(reason)
        self.logs = [(name, text) for name, text in logs if text.strip()]


class Stage:
    """A plane and one agent, running while entered; both are gone afterwards. Raises StageFailed when they do not start."""

    def __init__(
        self,
        plane: PlaneSettings,
        made_agent: Callable[[str, str], AgentSettings],
        show: Show,
        *,
        token: str,
        only_at_the_site: str,
    ) -> None:
        """`made_agent` has the agent's settings for a plane's address and an agent token, which is named `token` and takes
        the place of one with that name. `only_at_the_site` names for a person what only the agent has."""
        self._made_agent = made_agent
        self._show = show
        self._token = token
        self._only_at_the_site = only_at_the_site
        self._stack = ExitStack()
        self.plane = Plane(plane)
        self.agent: Agent

    def __enter__(self) -> Stage:
        try:
            self._stack.callback(self.plane.stop)
            self._start_plane()
            self.agent = self._stack.enter_context(self._new_agent())
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._show.doing("stopping the agent and the plane"):
            self._stack.close()

    def kill(self) -> None:
        """End every process now; may be called from a signal handler while entered or being left."""
        for process in (*self.plane.all_processes, *([self.agent.process] if hasattr(self, "agent") else [])):
            if process.running:
                process.signal(signal.SIGKILL, group=True)

    def _start_plane(self) -> None:
        plane, show = self.plane, self._show
        try:
            plane.configure()
            with show.doing("migrating the plane's database (SQLite)"):
                plane.migrate()
            with show.doing("starting the plane: one API server, one scheduler"):
                plane.start()
        except (RuntimeError, TimeoutError) as problem:
            raise StageFailed(f"the plane did not start: {problem}") from problem
        show.say(f"the plane is up at {plane.url}: sign in as admin with {plane.passwords['admin']}")

    def _new_agent(self) -> Agent:
        plane, show = self.plane, self._show
        with OperatorClient(plane.url, token=plane.sign_in()) as client:
            for each in client.tokens().items:
                if each.name == self._token:  # of an earlier start on the same database
                    client.delete_token(each.id, reason="replaced")
            made = client.create_token(operator.NewToken(name=self._token, expires_in_days=1))
        show.say(f"made agent token {made.prefix} over the operator API")
        show.say(
            f"starting an agent with that token and the plane's address; only it has {self._only_at_the_site}"
        )
        return Agent(self._made_agent(plane.url, made.token))


def run(
    stage: Stage, show: Show, *, timeout: float, triggered: Sequence[str], by_asset: Sequence[str] = ()
) -> None:
    """Start these Dags and watch them to their end. Raises StageFailed unless all have succeeded."""
    deadline = time.monotonic() + timeout
    plane, agent = stage.plane, stage.agent
    with plane.client() as http, OperatorClient(plane.url, token=plane.sign_in()) as client:
        runs = Runs(http, triggered=triggered, by_asset=by_asset)

        def failed(reason: str) -> StageFailed:
            return StageFailed(reason, *_evidence(plane, agent, runs))

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
        show.say(f"started {len(runs.all)} Dags: {', '.join(runs.all)}")

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


def watch_over(stage: Stage, each_second: Callable[[], None] = lambda: None) -> None:
    """Return only when something of the stage ends by itself. Raises StageFailed with its last words."""
    while True:
        _check_alive(stage.plane, stage.agent, StageFailed)
        each_second()
        time.sleep(1)


def _is_present(client: OperatorClient) -> bool:
    present = {states.AgentState.HEALTHY, states.AgentState.DEGRADED}
    return any(agent.state in present for agent in client.agents().items)


def _check_alive(plane: Plane, agent: Agent, failed: Callable[..., StageFailed]) -> None:
    for process in (*plane.all_processes, agent.process):
        if not process.running:
            problem = failed(f"{process.name} ended with exit code {process.exit_code}")
            problem.logs[:0] = [(process.name, process.tail())]
            raise problem


def _evidence(plane: Plane, agent: Agent, runs: Runs) -> list[tuple[str, str]]:
    """The logs that explain a failure, as far as they can be had."""
    found = [
        (process.name, _worth_reading(process.tail(200))) for process in (agent.process, *plane.all_processes)
    ]
    try:
        failures = runs.failures()
        found += [("Dag file", f"{name}: {error}") for name, error in runs.import_errors().items()]
    except Exception as problem:  # the plane may be what failed; its log is above
        return [*found, ("the plane's API", str(problem))]
    for one in failures:
        name = f"{one['dag_id']}.{one['task_id']} (map {one['map_index']}, try {one['try_number']})"
        found.append((name, _task_log(agent.home, one) or f"no log; state {one['state']}"))
    return found


def _worth_reading(log: str) -> str:
    """The last lines of a log without the API server's lines about requests that went well."""
    kept = [line for line in log.splitlines() if "[http.access]" not in line or "status_code=5" in line]
    return "\n".join(kept[-15:])


def _task_log(home: Path, one: dict[str, object]) -> str:
    """The tail of a task's own log, which lies on the site's disk and nowhere else."""
    pattern = f"dag_id={one['dag_id']}/run_id={one['dag_run_id']}/task_id={one['task_id']}"
    for folder in home.rglob(f"task_id={one['task_id']}"):
        if str(folder).endswith(pattern):
            logs = sorted(folder.rglob("*.log"), key=lambda path: path.stat().st_mtime)
            if logs:
                return "\n".join(logs[-1].read_text(errors="replace").splitlines()[-15:])
    return ""
