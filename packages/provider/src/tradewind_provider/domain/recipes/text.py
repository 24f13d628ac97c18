"""How values are written into a shell, TOML and YAML."""

from __future__ import annotations

import json
import re
import shlex
from typing import Final

from tradewind_provider.domain.recipes import site_services
from tradewind_provider.domain.recipes.requests import GIT, RecipeRequest, Versions

quoted = shlex.quote

_EXTRAS: Final = {"s3": "amazon", "gs": "google", "abfs": "azure", "abfss": "azure"}
"""Extras of the runtime, which bring the file system of a storage's scheme."""
_LONGEST: Final = 40  # of a name in Kubernetes, so that what is appended fits


def literal(value: object) -> str:
    """For TOML and YAML: JSON of one line is a value in both."""
    return json.dumps(value, ensure_ascii=False)


def table(values: dict[str, str]) -> str:
    """An inline table of TOML."""
    return "{ " + ", ".join(f"{key} = {literal(value)}" for key, value in values.items()) + " }"


def slug(name: str) -> str:
    """A name for folders, containers and objects of Kubernetes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:_LONGEST].strip("-") or "agent"


def file(command: str, text: str, mark: str = "END") -> str:
    """A shell command that gets `text` as its input, as it is. No line of ours is the mark."""
    assert mark not in text.splitlines()
    return f"{command} <<'{mark}'\n{text}\n{mark}"


ABOUT_KEY: Final = (
    "The site's key, the same for each of its agents: this makes one for the first, and keeps one that is there. For "
    "another agent copy the file of the first to that place before."
)


def install_options(folder: str) -> list[str]:
    """What pip is told of a folder that `make dist` built, quoted for a shell. Nothing without one."""
    if not folder:
        return []
    return ["--find-links", quoted(folder), "--constraint", quoted(f"{folder}/constraints.txt")]


def packages_of_tasks(wanted: RecipeRequest, versions: Versions) -> list[str]:
    """What pip installs for the tasks, quoted for a shell."""
    extras = [_EXTRAS[store]] if (store := wanted.storage.partition("://")[0]) in _EXTRAS else []
    extras += site_services.extras(wanted)
    extras += ["git"] if wanted.bundle.kind == GIT else []
    extras = list(dict.fromkeys(extras))
    named = f"tradewind-runtime[{','.join(extras)}]" if extras else "tradewind-runtime"
    found = [f"{named}=={versions.tradewind}", "apache-airflow-providers-standard"]
    if not wanted.packages:  # whose constraints have a version of Airflow
        found.append(f"apache-airflow-core=={versions.airflow}")
    return [quoted(one) for one in found]


def package_of_agent(versions: Versions) -> str:
    return quoted(f"tradewind-agent=={versions.tradewind}")
