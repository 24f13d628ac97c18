"""How values are written into a shell, TOML and YAML."""

from __future__ import annotations

import json
import re
import shlex
from typing import Final

from tradewind_provider.domain.recipes.requests import GIT, RecipeRequest, Versions

quoted = shlex.quote

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


def packages_of_tasks(wanted: RecipeRequest, versions: Versions) -> list[str]:
    """What pip installs for the tasks, quoted for a shell."""
    found = [f"tradewind-runtime=={versions.tradewind}", f"apache-airflow-core=={versions.airflow}"]
    found.append("apache-airflow-providers-standard")
    if wanted.bundle.kind == GIT:
        found.append("apache-airflow-providers-git")
    store = wanted.storage.partition("://")[0]
    if store == "s3":
        found.append("apache-airflow-providers-amazon[s3fs]")
    elif store == "gs":
        found.append("apache-airflow-providers-google")
    elif store.startswith("abfs"):
        found.append("apache-airflow-providers-microsoft-azure")
    return [quoted(one) for one in found]


def package_of_agent(versions: Versions) -> str:
    return quoted(f"tradewind-agent=={versions.tradewind}")
