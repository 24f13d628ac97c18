"""What a project's check asks of the site's environment, and what its answer means for a person.

The check itself is `tradewind_runtime.dag_check`: Airflow parses, the data boundary judges. Here its answer becomes findings,
each with file, cause and remedy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tradewind.errors import BadUsage, CommandError
from tradewind.project.settings import Project, toml
from tradewind_protocol import airflow_versions
from tradewind_protocol.boundary import KINDS
from tradewind_protocol.hosts import Configure
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import Component

MODULE: Final = "tradewind_runtime.dag_check"
MARK: Final = "tradewind-dag-check "
PLANES_MODULE: Final = "tradewind_provider.dag_check"
PLANES_MARK: Final = "tradewind-plane-check "
IN_IMAGE: Final = "/opt/site"
"""Where the site's files are in its image. A path below it in agent.toml is one of the project's folder `site` here."""

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or will be."""

    level: Level
    where: str  # file and line, as the project has it
    cause: str
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """What a check found."""

    airflow: str
    dags: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return not any(one.level == "error" for one in self.findings)


# ---- the question


def question(project: Project, *, site: str, state: str) -> str:
    """The standard input of the check, for site files that are at `site`. `state` is a folder that it may write to."""
    options = agent_options(project, site)
    configure = Configure(
        component=Component.DAG_PROCESSOR,
        agent_name=project.name,
        gateway="",
        secret="",
        policy=Policy(options.get("policy", Policy.STRICT)),
        options={
            "state_directory": state,
            "bundles": options.get("bundles", []),
            "rules": {kind: options[kind] for kind in KINDS if kind in options},
            "environ": development_variables(project),
            "with_dags": True,  # as they leave the site, for `for_plane`
        },
    )
    return configure.model_dump_json()


def agent_options(project: Project, site: str) -> dict[str, Any]:
    """The settings in site/agent.toml, with the site's files at `site`."""
    placed = _placed(toml(project.agent_settings), site)
    assert isinstance(placed, dict)
    return placed


def _placed(value: Any, site: str) -> Any:
    if isinstance(value, str) and (value == IN_IMAGE or value.startswith(f"{IN_IMAGE}/")):
        return site + value.removeprefix(IN_IMAGE)
    if isinstance(value, dict):
        return {name: _placed(each, site) for name, each in value.items()}
    if isinstance(value, list):
        return [_placed(each, site) for each in value]
    return value


def development_variables(project: Project) -> dict[str, str]:
    """The variables in site/dev.env: `NAME=value` a line. Raises BadUsage naming the line, never its value."""
    path = project.site.folder / "dev.env"
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = line.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name.strip()):
            raise BadUsage(f"site/dev.env, line {number} is not of the form NAME=value")
        value = value.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        found[name.strip()] = value[1:-1] if quoted else value
    return found


def for_plane(output: str) -> str:
    """The standard input of the plane's check: the Dags in the site's answer, as they would leave the site."""
    asked = [
        json.dumps({"bundle": one["bundle"], "file": one["file"], "dag": dag})
        for one in _answers(output, MARK)
        if "file" in one
        for dag in one.get("reduced", ())
    ]
    return "\n".join(asked) + "\n"


# ---- the answer


def _answers(output: str, mark: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix(mark)) for line in output.splitlines() if line.startswith(mark)]


def refused_by_plane(project: Project, output: str) -> tuple[Finding, ...]:
    """What the plane's check says it would not store. Raises CommandError when that is no answer."""
    lines = _answers(output, PLANES_MARK)
    if not any("checked" in one for one in lines):
        last = "\n".join(output.strip().splitlines()[-15:])
        raise CommandError(
            f"the plane's environment did not answer:\n{last}",
            remedy="Is tradewind-provider in it, of the version that tradewind.toml names? Do its plugins load?",
        )
    places = _places(project)
    return tuple(
        Finding(
            "error",
            f"{places.get(one['bundle'], one['bundle'])}/{one['file']}",
            f"the plane would refuse it: {one['cause']}",
            one["remedy"],
        )
        for one in lines
        if "cause" in one
    )


def report(project: Project, output: str, *, planes_airflow: str) -> Report:
    """What the output of the check means. Raises CommandError when it is no answer."""
    lines = _answers(output, MARK)
    if not lines:
        last = "\n".join(output.strip().splitlines()[-15:])
        raise CommandError(
            f"the site's environment did not answer:\n{last}",
            remedy="Is tradewind-runtime in it, of the version that tradewind.toml names?",
        )
    findings = [Finding("error", _shown(project, project.agent_settings), one["problem"], one.get("remedy", ""))
                for one in lines if "problem" in one]  # fmt: skip
    airflow = next((str(one["airflow"]) for one in lines if "airflow" in one), "")
    if (skew := airflow_versions.skew(airflow, planes_airflow)) != "":
        where = _shown(project, project.site.requirements)
        findings.append(Finding("error", where, skew, airflow_versions.remedy(planes_airflow)))
    files = [one for one in lines if "file" in one]
    if not files and not findings:
        where = _shown(project, project.agent_settings)
        findings.append(Finding("error", where, "the bundles have no Dag file", "Put one into site/dags"))
    places = _places(project)
    for file in files:
        findings += _of_file(places.get(file["bundle"], file["bundle"]), file)
    dags = sorted(dag for file in files for dag in file["dags"])
    twice = sorted({dag for dag in dags if dags.count(dag) > 1})
    findings += [
        Finding("error", "site/dags", f"the Dag {dag!r} is in more than one file", "Rename one of them")
        for dag in twice
    ]
    return Report(airflow, tuple(dags), tuple(findings))


def _of_file(place: str, file: Mapping[str, Any]) -> Iterator[Finding]:
    errors = {name: str(text) for name, text in file["errors"].items()}
    for one in file["requests"]:
        wrong = one["refused"] or bool(errors)
        line = _line(file, " ".join(errors.values()))
        cause = f"{one['what']} at the top of the file: {one['cause']}"
        yield Finding("error" if wrong else "warning", f"{place}/{file['file']}{line}", cause, one["remedy"])
    for name, text in errors.items():
        last = _last_line(text)
        if file["requests"] and ("_NOT_FOUND" in last or "API_SERVER_ERROR" in last):
            continue  # of a request that was named above
        yield Finding("error", f"{place}/{name}{_line(file, text)}", last, _remedy(last))


def _line(file: Mapping[str, Any], text: str) -> str:
    found = re.findall(rf'File "/{re.escape(file["bundle"])}/{re.escape(file["file"])}", line (\d+)', text)
    return f":{found[-1]}" if found else ""


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:1000] if lines else "no reason was given"


def _remedy(last: str) -> str:
    if last.startswith(("ModuleNotFoundError", "ImportError")):
        return "Add the package to site/requirements.txt, or correct the import"
    return "Correct the file; `tradewind project check` parses it again"


def _places(project: Project) -> dict[str, str]:
    """By bundle, its folder as the project has it."""
    bundles: Sequence[Mapping[str, Any]] = agent_options(project, "site").get("bundles", [])
    found = {}
    for one in bundles:
        path = str(one.get("kwargs", {}).get("path", ""))
        if path.startswith("site/"):
            found[str(one.get("name"))] = path
    return found


def _shown(project: Project, path: Path) -> str:
    return path.relative_to(project.root).as_posix()
