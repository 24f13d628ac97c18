"""All processes of an agent, and what they report about its task environments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import structlog

from tradewind_agent.access.local_secrets import LocalSecrets
from tradewind_agent.environments import configuration, variables
from tradewind_agent.environments.launcher import Launcher, ProcessCommand
from tradewind_agent.environments.process import ComponentProcess, ProcessState
from tradewind_agent.environments.worker import Worker
from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_agent.state import task_users
from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol import airflow_versions
from tradewind_protocol.boundary import Rules
from tradewind_protocol.hosts import Configure, LogStorage
from tradewind_protocol.polling import Finding
from tradewind_protocol.sessions import SessionOpened, Storage, TaskEnvironment
from tradewind_protocol.states import Component

log = structlog.get_logger(__name__)


class TaskEnvironments:
    """Builds the processes the settings ask for, runs them, and knows which environments can take work."""

    def __init__(
        self,
        *,
        settings: Settings,
        launcher: Launcher,
        secrets: LocalSecrets,
        session: Callable[[], SessionOpened | None],
        gateway: Path,
        inherited: Mapping[str, str],
        on_change: Callable[[], None],
        rules: Rules,
        site_key: SiteKey,
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._site_key = site_key
        self._launcher = launcher
        self._secrets = secrets
        self._session = session
        self._gateway = gateway
        self._inherited = inherited
        self._on_change = on_change
        self.slots = {each.name: each.slots for each in settings.task_environments}
        self.workers: dict[str, Worker] = {}
        self.processes: list[ComponentProcess] = []
        if Component.WORKER in settings.components:
            for environment in settings.task_environments:
                made = self._process(Worker, Component.WORKER, environment)
                self.workers[environment.name] = made
        for component in (Component.DAG_PROCESSOR, Component.TRIGGERER):
            if component in settings.components:
                self._process(ComponentProcess, component, settings.environment_of(component))
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def log_directory(self) -> Path:
        """Where processes write the logs of tasks and triggers."""
        return self._settings.state_dir / "task-logs"

    @property
    def waiting_logs(self) -> Path:
        """Where logs are kept that the log storage has not taken yet."""
        return self._settings.state_dir / "task-logs-waiting"

    def log_storages(self) -> dict[str, LogStorage]:
        """Where environments upload the logs of their tasks, by name; those that upload none are left out."""
        hellos = {name: process.hello for name, process in self.workers.items() if process.hello is not None}
        return {name: hello.logs for name, hello in hellos.items() if hello.logs.url}

    def start(self) -> None:
        """Start every process; each is kept alive until `stop`."""
        self._tasks = [asyncio.create_task(process.run(), name=process.title) for process in self.processes]

    async def stop(self) -> None:
        """Stop every process with what runs in it. Idempotent; returns when all are gone."""
        for process in self.processes:
            await process.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def set_slots(self, environment: str, slots: int) -> None:
        """From now on an environment runs at most so many attempts; those above it end by themselves."""
        if environment in self.slots:
            self.slots[environment] = slots
            self._on_change()

    def usable(self, environment: str) -> bool:
        """True when a worker process of the environment is ready for this plane's work."""
        process = self.workers.get(environment)
        return process is not None and process.ready and not self._skew(process)

    def task_environments(self) -> tuple[TaskEnvironment, ...]:
        """The environments as the plane shall see them."""
        return tuple(self._described(each) for each in self._settings.task_environments)

    def findings(self) -> list[Finding]:
        """What is wrong with the processes."""
        found = [finding for process in self.processes for finding in process.findings()]
        for name, process in self.workers.items():
            if skew := self._skew(process):
                found.append(
                    Finding(
                        check=f"environment:{name}"[:100],
                        message=skew,
                        remedy=airflow_versions.remedy(self._planes_airflow()),
                    )
                )
        return found

    def _described(self, environment: EnvironmentSettings) -> TaskEnvironment:
        process = self.workers.get(environment.name)
        hello = process.hello if process is not None else None
        problem = ""
        if process is not None:
            problem = self._skew(process) or (process.problem.message if process.problem is not None else "")
        return TaskEnvironment(
            name=environment.name,
            queues=environment.queues if process is not None else (),
            slots=self.slots[environment.name],
            python=hello.python if hello is not None else "",
            airflow=hello.airflow if hello is not None else "",
            problem=problem,
            xcom=hello.xcom if hello is not None else Storage(),
            key=self._site_key.fingerprint,
            starting=not problem and self._is_starting(environment.name),
            bundles=self._bundles(environment.name),
            canary=hello is not None and hello.canary,
        )

    def _bundles(self, environment: str) -> tuple[str, ...] | None:
        """What the processes of the environment say; None while none has said anything."""
        said = [
            process.hello.bundles
            for process in self.processes
            if process.environment == environment and process.hello
        ]
        return next((bundles for bundles in said if bundles), None)

    def _is_starting(self, environment: str) -> bool:
        return any(
            process.environment == environment
            and process.state is ProcessState.STARTING
            and process.problem is None
            for process in self.processes
        )

    def _skew(self, process: ComponentProcess) -> str:
        """Why the environment's Airflow cannot run this plane's work; empty when it can."""
        if process.hello is None:
            return ""
        skew = airflow_versions.skew(process.hello.airflow, self._planes_airflow())
        return skew and f"environment {process.environment}: {skew}"

    def _planes_airflow(self) -> str:
        session = self._session()
        return session.airflow_version if session is not None else ""

    def _process(
        self,
        kind: type[Worker] | type[ComponentProcess],
        component: Component,
        environment: EnvironmentSettings,
    ) -> Worker:
        made = kind(
            component=component,
            environment=environment.name,
            command=self._command(component, environment),
            configure=partial(self._configure, component, environment),
            launcher=self._launcher,
            secrets=self._secrets,
            on_change=self._on_change,
        )
        self.processes.append(made)
        return made  # type: ignore[return-value]

    def _command(self, component: Component, environment: EnvironmentSettings) -> ProcessCommand:
        user = task_users.user_of(environment)
        log_name = f"{component.value}-{environment.name.replace('/', '_')}.log"
        return ProcessCommand(
            title=f"{component.value.replace('_', ' ')} process of environment {environment.name}",
            argv=(str(environment.interpreter), "-m", "tradewind_runtime"),
            env=variables.of_environment(self._settings, environment, self._inherited, user),
            user=user,
            log_file=self._settings.state_dir / "logs" / log_name,
        )

    def _configure(self, component: Component, environment: EnvironmentSettings, secret: str) -> Configure:
        return configuration.of_component(
            component,
            environment,
            settings=self._settings,
            session=self._session(),
            rules=self._rules,
            site_key=self._site_key,
            gateway=self._gateway,
            secret=secret,
            logs=self.log_directory,
            waiting_logs=self.waiting_logs,
        )
