"""A project on this machine: a plane with the project's plugins, and an agent with its Dags, settings and packages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from tradewind.embedded.agent import AgentSettings
from tradewind.embedded.plane import PlaneSettings
from tradewind.output import one_line, printable
from tradewind.project import checks, contents
from tradewind.project.packages import Packages
from tradewind.project.settings import Project
from tradewind.stage.runs import Runs
from tradewind.stage.show import Show
from tradewind.stage.stage import Stage

_GIVEN_HERE: Final = ("plane_url", "token", "token_file", "name", "state_dir", "metrics_host", "metrics_port")
"""Settings of agents that `dev` gives itself, whatever the project's file says."""
_LOCAL: Final = "airflow.dag_processing.bundles.local.LocalDagBundle"
_LOOK_EVERY: Final = 2  # seconds


def stage(project: Project, place: Path, show: Show, *, port: int) -> Stage:
    """A plane and an agent that keep their state in `place`. Raises CommandError when an environment cannot be made."""
    packages = Packages(project, say=show.say)
    plane, site, agent = (
        packages.environment(project.plane),
        packages.environment(project.site),
        packages.agent(),
    )
    planes_plugins = contents.plugins(project, project.plane, place / "plane-plugins")
    plugins = contents.plugins(project, project.site, place / "site-plugins")
    variables = {"AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins), **checks.development_variables(project)}

    def settings(url: str, token: str) -> AgentSettings:
        home = place / "site"
        return AgentSettings(
            home=home,
            plane_url=url,
            token=token,
            name=project.name,
            interpreter=agent,
            tasks=site,
            site=variables,
            options=_options(project, {"AIRFLOW_HOME": str(home / "airflow"), **variables}),
        )

    return Stage(
        PlaneSettings(
            home=place / "plane",
            port=port,
            interpreter=plane,
            options={"core": {"plugins_folder": str(planes_plugins)}},
        ),
        settings,
        show,
        token=f"dev-{project.name}",
        only_at_the_site="site/dags",
    )


def _options(project: Project, variables: dict[str, str]) -> dict[str, Any]:
    """The settings in agent.toml for an agent of this machine: bundles are read again every two seconds."""
    options = checks.agent_options(project, str(project.site.folder))
    options = {name: value for name, value in options.items() if name not in _GIVEN_HERE}
    for bundle in options.get("bundles", []):
        if bundle.get("classpath") == _LOCAL:
            bundle["kwargs"] = {**bundle.get("kwargs", {}), "refresh_interval": _LOOK_EVERY}
    options.pop("interpreter", None)
    for environment in options.get("environments", []):
        environment.pop("interpreter", None)
        environment["env"] = {**variables, **environment.get("env", {})}
    return options


class Changes:
    """Tells of files that changed while a stage runs, and of what the plane has heard of them."""

    def __init__(self, project: Project, http: httpx.Client, say: Callable[[str], None]) -> None:
        self._project = project
        self._runs = Runs(http, triggered=())
        self._say = say
        self._errors: dict[str, str] = {}
        self._dags = set(self._runs.known())
        self._times = self._changed_at()

    def look(self) -> None:
        """Tell what changed since the last look. A plane that does not answer is looked at again the next time."""
        now = self._changed_at()
        for path in sorted({*now, *self._times}):
            if now.get(path) != self._times.get(path):
                self._say(f"{path} {self._consequence(path, now)}")
        self._times = now
        try:
            errors, dags = self._runs.import_errors(), set(self._runs.known())
        except (httpx.HTTPError, RuntimeError):
            return
        for name, text in errors.items():
            if self._errors.get(name) != text:
                last = [line for line in text.strip().splitlines() if line.strip()][-1:]
                self._say(f"{name} does not parse: {printable(one_line(''.join(last)))}")
        for name in self._errors.keys() - errors.keys():
            self._say(f"{name} parses again")
        for dag in sorted(dags - self._dags):
            self._say(f"the Dag {dag} has arrived")
        for dag in sorted(self._dags - dags):
            self._say(f"the Dag {dag} is gone")
        self._errors, self._dags = errors, dags

    def _consequence(self, path: str, now: dict[str, int]) -> str:
        if not path.startswith("site/dags/"):
            return "changed: stop and start `dev` to use it"
        return "changed: the agent reads it again" if path in now else "was removed"

    def _changed_at(self) -> dict[str, int]:
        found = {}
        for path in self._watched():
            try:
                found[path.relative_to(self._project.root).as_posix()] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue  # removed since it was listed
        return found

    def _watched(self) -> Iterator[Path]:
        project = self._project
        yield from project.site.folder.glob("dags/**/*.py")
        yield from (project.plane.requirements, project.site.requirements, project.agent_settings)
        yield project.site.folder / "dev.env"
        for folder in ("plane/plugins", "plane/timetables", "site/plugins"):
            yield from (project.root / folder).glob("**/*.py")
