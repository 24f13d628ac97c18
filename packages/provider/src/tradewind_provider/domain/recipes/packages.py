"""What pip installs for an agent and for its tasks."""

from __future__ import annotations

from typing import Final

from tradewind_provider.domain.recipes import site_services
from tradewind_provider.domain.recipes.requests import GIT, RecipeRequest, Versions
from tradewind_provider.domain.recipes.text import quoted

_EXTRAS: Final = {"s3": "amazon", "gs": "google", "abfs": "azure", "abfss": "azure"}
"""Extras of the runtime, which bring the file system of a storage's scheme."""


def install_options(folder: str) -> list[str]:
    """Options of pip for a folder that `make dist` built, quoted for a shell. Nothing without one."""
    if not folder:
        return []
    return ["--find-links", quoted(folder), "--constraint", quoted(f"{folder}/constraints.txt")]


def package_of_agent(versions: Versions) -> str:
    """What pip installs for the agent, quoted for a shell."""
    return quoted(f"tradewind-agent=={versions.tradewind}")


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
