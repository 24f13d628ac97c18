"""A platform, its Deployments and their agents on this machine, from an empty directory to runs that have succeeded."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tradewind.client.operator_client import OperatorClient
from tradewind.client.platform_client import PlatformClient
from tradewind.demo import site
from tradewind.embedded.agent import Agent, AgentSettings
from tradewind.embedded.environments import Environments
from tradewind.embedded.plane import free_port
from tradewind.embedded.processes import LocalProcess
from tradewind.stage.runs import Runs, RunView
from tradewind.stage.show import Show
from tradewind.stage.stage import StageFailed
from tradewind_platform.local.processes import Processes
from tradewind_protocol import operator, platform

ADMINISTRATOR: Final = "ada"
_ASK_EVERY: Final = 0.5  # seconds between looks
_OPERATION_LIMIT: Final = 300  # seconds for all Deployments to become healthy


@dataclass(frozen=True)
class Made:
    """A Deployment that runs, and its agent."""

    view: platform.DeploymentView
    agent: Agent
    runs: Runs


class PlatformStage:
    """A platform with Deployments of these names, and an agent for each, while entered. Nothing of it runs afterwards.

    Raises StageFailed when something does not start.
    """

    def __init__(
        self, place: Path, environments: Environments, show: Show, *, port: int, names: Sequence[str]
    ) -> None:
        self._place = place
        self._environments = environments
        self._show = show
        self._names = tuple(names)
        self._stack = ExitStack()
        self.home = place / "platform"
        self.url = f"http://127.0.0.1:{port or free_port()}"
        self._token_file = place / "administrator.token"
        self._processes = Processes(str(self.home / "local"))
        self._platform = self._program()
        self._agents: list[Agent] = []
        self.made: Mapping[str, Made] = {}

    def _program(self) -> LocalProcess:
        command = [
            *(sys.executable, "-m", "tradewind", "platform", "run", "--home", str(self.home)),
            *("--listen", self.url.removeprefix("http://")),
            *("--agents-listen", f"127.0.0.1:{free_port()}", "--people-listen", f"127.0.0.1:{free_port()}"),
            *("--plane-python", str(self._environments.plane)),
            *(("--first-user", "0") if os.geteuid() == 0 else ()),
        ]
        env = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
        return LocalProcess("platform", command, env=env, log=self._place / "platform.log")

    def __enter__(self) -> PlatformStage:
        try:
            self._stack.callback(self._processes.stop_all)
            self._stack.callback(self._platform.stop)
            with self._show.doing("starting the platform: its API, and the gateway of this machine"):
                self._platform.start()
                self._wait("the platform's API answers", self._answers, 60)
            self._administrator()
            self.made = self._deployments()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._show.doing("stopping the agents, the platform and its Deployments"):
            self._stack.close()

    def kill(self) -> None:
        """End every process now; may be called from a signal handler while entered or being left."""
        for process in (self._platform, *(agent.process for agent in self._agents)):
            if process.running:
                process.signal(signal.SIGKILL, group=True)
        self._processes.stop_all(grace=0)

    def sign_in_link(self) -> str:
        """An address that signs a browser in as the administrator, once, within 15 minutes."""
        return self._admin("sign-in-link", ADMINISTRATOR, "--url", self.url).strip()

    def watch_over(self) -> None:
        """Return only when something ends by itself. Raises StageFailed with its last words."""
        while True:
            self._check_alive()
            time.sleep(1)

    def run(self, *, timeout: float) -> None:
        """Start the example Dags at every site and watch them to their end. Raises StageFailed unless all succeeded."""
        with self._show.doing("waiting for each agent to send its Dags"):
            self._wait(
                "each agent sends its Dags",
                lambda: not any(made.runs.missing() for made in self.made.values()),
                timeout,
            )
        for made in self.made.values():
            made.runs.start()
        views: list[RunView] = []
        with self._show.watching() as watch:

            def all_ended() -> bool:
                views[:] = [
                    dataclasses.replace(view, dag_id=f"{name}: {view.dag_id}")
                    for name, made in self.made.items()
                    for view in made.runs.views()
                ]
                watch(views)
                return all(view.ended for view in views) or any(view.state == "failed" for view in views)

            self._wait("every run ends", all_ended, timeout)
        lost = [view.dag_id for view in views if not view.succeeded]
        if lost:
            raise StageFailed(f"{', '.join(lost)} did not succeed", *self._logs())
        done = sum(view.done for view in views)
        self._show.say(
            f"all {len(views)} Dags succeeded: {done} tasks, each run by its own Deployment's agent"
        )

    # ---- parts

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def _administrator(self) -> None:
        self._admin("create", ADMINISTRATOR, "--to-file", str(self._token_file))
        self._show.say(f"the platform is up at {self.url}; made the administrator {ADMINISTRATOR}")

    def _admin(self, *arguments: str) -> str:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tradewind", "platform", "admin"),
                *arguments,
                *("--home", str(self.home)),
            ],
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise StageFailed(
                f"`tradewind platform admin {arguments[0]}` failed: {done.stderr}", *self._logs()
            )
        return done.stdout

    def _deployments(self) -> dict[str, Made]:
        token = self._token_file.read_text().strip()
        client = self._stack.enter_context(PlatformClient(self.url, token=token))
        begun = {
            name: client.create_deployment(platform.NewDeployment(name=name)).operation
            for name in self._names
        }
        with self._show.doing(
            f"creating the Deployments {' and '.join(self._names)}: database, keys, Airflow"
        ):
            self._wait(
                "the Deployments are made",
                lambda: all(self._has_ended(client, str(operation)) for operation in begun.values()),
                _OPERATION_LIMIT,
            )
        return {name: self._with_agent(client, token, name) for name in self._names}

    def _has_ended(self, client: PlatformClient, operation: str) -> bool:
        found = client.operation(operation)
        if found.state == "failed":
            raise StageFailed(f"{found.kind} of {found.deployment_name} failed: {found.error}", *self._logs())
        return found.state == "succeeded"

    def _with_agent(self, client: PlatformClient, token: str, name: str) -> Made:
        view = client.deployment(name)
        airflow = client.address_of(name)
        with OperatorClient(airflow, token=token) as operators:
            agent_token = operators.create_token(operator.NewToken(name="demo", expires_in_days=1))
        home = self._place / f"site-{name}"
        site.write_dags(home / "dags")
        agent = Agent(
            AgentSettings(
                home=home,
                plane_url=view.agent_url,
                token=agent_token.token,
                name=f"{name}-agent",
                dags=home / "dags",
                interpreter=self._environments.agent,
                tasks=self._environments.tasks,
            )
        )
        self._agents.append(agent)
        self._stack.enter_context(agent)
        self._show.say(f"{name} is healthy; its agent has a token of its own and {view.agent_url}")
        http = self._stack.enter_context(
            httpx.Client(base_url=airflow, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        )
        return Made(view, agent, Runs(http, triggered=site.TRIGGERED, by_asset=site.BY_ASSET))

    def _wait(self, what: str, done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise StageFailed(f"{what}: not within {seconds:g} s", *self._logs())
            self._check_alive()
            time.sleep(_ASK_EVERY)

    def _check_alive(self) -> None:
        for process in (self._platform, *(agent.process for agent in self._agents)):
            if not process.running:
                raise StageFailed(f"{process.name} ended with exit code {process.exit_code}", *self._logs())

    def _logs(self) -> list[tuple[str, str]]:
        return [
            (process.name, process.tail(30))
            for process in (self._platform, *(agent.process for agent in self._agents))
        ]
