"""One part of a project becomes an image or an environment, and is checked before it counts as built.

A build that was checked leaves a record under its address. The same address means the same contents, so that a build with a
record is not made again.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
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
        image = f"localhost/{part.image}:{what.address}" if self._builder else ""
        record = self._record(part, what.address)
        if (before := self._before(record)) is not None:
            return before
        if self._builder is None:
            name = str(self._packages.environment(part))
        else:
            name = image
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

    def report(self, part: Part, name: str) -> checks.Report:
        """The check of a site that was built as `name`."""
        self._say("parsing the Dags in the site's environment")
        if self._builder is None:
            with tempfile.TemporaryDirectory(prefix="tradewind-") as folder:
                plugins = contents.plugins(self._project, part, Path(folder) / "plugins")
                asked = checks.question(self._project, site=str(part.folder), state=folder)
                variables = (f"AIRFLOW_HOME={folder}/airflow", f"AIRFLOW__CORE__PLUGINS_FOLDER={plugins}")
                output = self._answer(["env", *variables, name, "-m", checks.MODULE], asked)
        else:
            asked = checks.question(self._project, site=checks.IN_IMAGE, state="/tmp/check")
            command = ["env", "AIRFLOW_HOME=/tmp/check/airflow", _IN_IMAGE["site"], "-m", checks.MODULE]
            output = self._builder.ask(name, command, asked)
        return checks.report(self._project, output, planes_airflow=self.planes_airflow())

    def planes_airflow(self) -> str:
        """The version in the plane's lock; the lock is made when it is missing."""
        return locked_version(self._packages.lock(self._project.plane), _AIRFLOW)

    # ---- inside

    def _checked(self, part: Part, address: str, name: str) -> Built:
        if part.role == "site":
            report = self.report(part, name)
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
        # a finding is of the plane's Airflow, of variables of the check and of the bundles, too
        with_what = environments.digest(
            self.planes_airflow() if part.role == "site" else "",
            json.dumps(checks.development_variables(self._project), sort_keys=True),
        )
        return self._project.kept / "built" / f"{part.role}-{kind}-{address}-{with_what}.json"

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
