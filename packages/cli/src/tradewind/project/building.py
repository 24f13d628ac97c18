"""One part of a project becomes an image or an environment, and is checked before it counts as built.

A build that was checked leaves a record under its address. The same address means the same contents, so that a build with a
record is not made again.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from tradewind.embedded import environments
from tradewind.errors import CommandError
from tradewind.project import checks, contents
from tradewind.project.builders import Builder
from tradewind.project.packages import Packages, locked_version
from tradewind.project.settings import Part, Project, Role

_AIRFLOW: Final = "apache-airflow-core"
_IN_IMAGE: Final = {"plane": "/opt/airflow/bin/python", "site": "/opt/tasks/bin/python"}
_ASK_VERSION: Final = f"import importlib.metadata as m; print('airflow', m.version({_AIRFLOW!r}))"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """A part that was built and checked."""

    role: Role
    address: str
    name: str  # an image with its tag, or the interpreter of an environment
    airflow: str
    dags: tuple[str, ...] = ()
    findings: tuple[checks.Finding, ...] = ()
    is_new: bool = True


class CheckFailed(CommandError):
    """What was built does not pass its check."""

    def __init__(self, report: checks.Report) -> None:
        wrong = [one for one in report.findings if one.level == "error"]
        super().__init__(f"{len(wrong)} thing{'s are' if len(wrong) != 1 else ' is'} wrong with the site")
        self.report = report


class Building:
    """Builds parts of one project. Without a builder an environment is made in place of an image."""

    def __init__(self, project: Project, builder: Builder | None, *, platform: str = "", say: Say) -> None:
        self._project = project
        self._builder = builder
        self._platform = platform
        self._say = say
        self._packages = Packages(project, say=say)

    def build(self, part: Part) -> Built:
        """Raises CheckFailed when it was built and is not right, CommandError when it cannot be built."""
        self._packages.lock(part)
        what = contents.of(self._project, part, platform=self._platform)
        record = self._record(part, what.address)
        if (before := self._before(record)) is not None:
            return before
        if self._builder is None:
            name = str(self._packages.environment(part))
        else:
            name = image = self._image(part)
            if not self._builder.has(image):
                self._say(f"building {image}")
                with tempfile.TemporaryDirectory(prefix="tradewind-") as folder:
                    what.stage(Path(folder) / "context")
                    self._builder.build(
                        Path(folder) / "context", image, base=part.base, platform=self._platform
                    )
        built = self._checked(part, what.address, name)
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(asdict(built), indent=1), encoding="utf-8")
        return built

    def report(self, name: str) -> checks.Report:
        """The check of a site that was built as `name`: its Dags parse, and the plane would store them."""
        self._say("parsing the Dags in the site's environment")
        output = self._ask_site(name)
        found = checks.report(self._project, output, planes_airflow=self.planes_airflow())
        if not found.passed or not found.dags:
            return found
        refused = self._refused_by_plane(checks.for_plane(output))
        return replace(found, findings=(*found.findings, *refused))

    def _ask_site(self, name: str) -> str:
        if self._builder is not None:
            asked = checks.question(self._project, site=checks.IN_IMAGE, state="/tmp/check")
            command = ["env", "AIRFLOW_HOME=/tmp/check/airflow", _IN_IMAGE["site"], "-m", checks.MODULE]
            return self._builder.ask(name, command, asked)
        with tempfile.TemporaryDirectory(prefix="tradewind-") as folder:
            asked = checks.question(self._project, site=str(self._project.site.folder), state=folder)
            return self._ask_environment(self._project.site, name, folder, checks.MODULE, asked)

    def _refused_by_plane(self, asked: str) -> tuple[checks.Finding, ...]:
        plane = self._project.plane
        if self._builder is None:
            with tempfile.TemporaryDirectory(prefix="tradewind-") as folder:
                interpreter = str(self._packages.environment(plane))
                answer = self._ask_environment(plane, interpreter, folder, checks.PLANES_MODULE, asked)
        elif self._builder.has(image := self._image(plane)):
            command = ["env", "AIRFLOW_HOME=/tmp/check", _IN_IMAGE["plane"], "-m", checks.PLANES_MODULE]
            answer = self._builder.ask(image, command, asked)
        else:
            self._say("the plane's image is not built here: whether its plugins fit the Dags was not checked")
            return ()
        return checks.refused_by_plane(self._project, answer)

    def _ask_environment(self, part: Part, interpreter: str, folder: str, module: str, asked: str) -> str:
        plugins = contents.plugins(self._project, part, Path(folder) / "plugins")
        variables = (f"AIRFLOW_HOME={folder}/airflow", f"AIRFLOW__CORE__PLUGINS_FOLDER={plugins}")
        return self._answer(["env", *variables, interpreter, "-m", module], asked)

    def _image(self, part: Part) -> str:
        """The name of a part's image with its contents as they are now."""
        self._packages.lock(part)
        address = contents.of(self._project, part, platform=self._platform).address
        return f"localhost/{part.image}:{address}"

    def planes_airflow(self) -> str:
        """The version in the plane's lock; the lock is made when it is missing."""
        return locked_version(self._packages.lock(self._project.plane), _AIRFLOW)

    # ---- inside

    def _checked(self, part: Part, address: str, name: str) -> Built:
        if part.role == "site":
            report = self.report(name)
            if not report.passed:
                raise CheckFailed(report)
            return Built(part.role, address, name, report.airflow, report.dags, report.findings)
        command = ["-c", _ASK_VERSION]
        if self._builder is None:
            said = self._answer([name, *command], "")
        else:
            said = self._builder.ask(name, [_IN_IMAGE["plane"], *command], "")
        airflow = said.strip().rpartition("airflow ")[2]
        return Built(part.role, address, name, airflow)

    def _answer(self, command: list[str], given: str) -> str:
        try:
            return environments.run(command, given=given)
        except RuntimeError as problem:
            raise CommandError(f"the environment cannot be used: {problem}") from problem

    def _record(self, part: Part, address: str) -> Path:
        kind = self._builder.name if self._builder else "venv"
        with_what = "" if part.role == "plane" else f"-{self._judged_with()}"
        return self._project.kept / "built" / f"{part.role}-{kind}-{address}{with_what}.json"

    def _judged_with(self) -> str:
        """What a check of the site depends on beside the site: the plane as it is here, and variables of the check."""
        plane = self._image(self._project.plane)
        is_there = self._builder is None or self._builder.has(plane)
        variables = json.dumps(checks.development_variables(self._project), sort_keys=True)
        return environments.digest(plane if is_there else self.planes_airflow(), variables)

    def _before(self, record: Path) -> Built | None:
        try:
            found = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        there = self._builder.has(found["name"]) if self._builder else os.access(found["name"], os.X_OK)
        if not there:
            return None
        findings = tuple(checks.Finding(**one) for one in found["findings"])
        return Built(**{**found, "findings": findings, "dags": tuple(found["dags"]), "is_new": False})
