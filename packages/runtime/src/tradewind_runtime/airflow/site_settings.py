"""What a site's own Airflow configuration says, and what Airflow would do by itself where it says nothing."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from airflow.configuration import conf

BUNDLES = ("dag_processor", "dag_bundle_config_list")
STORAGE = ("dag_processor", "dag_bundle_storage_path")
EXAMPLES = ("core", "load_examples")


def keep_to_the_site(state_directory: str, environ: MutableMapping[str, str] = os.environ) -> None:
    """Set what Airflow's defaults would have wrong at a site, where the owner has set nothing: no bundle instead of
    `dags-folder`, none of Airflow's examples, and clones in the agent's own folder instead of a shared temporary one."""
    said = conf.as_dict(
        display_source=True, display_sensitive=True, raw=True, include_cmds=False, include_secret=False
    )
    if _by_default(said, *EXAMPLES):
        environ[_variable(*EXAMPLES)] = "False"
    if _by_default(said, *BUNDLES) and not conf.getboolean(*EXAMPLES):
        environ[_variable(*BUNDLES)] = "[]"
    if state_directory and _by_default(said, *STORAGE):
        environ[_variable(*STORAGE)] = str(Path(state_directory).absolute() / "bundles")


def fetch_into(folder: str, environ: MutableMapping[str, str] = os.environ) -> str:
    """From now on bundles are fetched into that folder. Returns where they were kept."""
    before = str(conf.get(*STORAGE, fallback="") or "")
    environ[_variable(*STORAGE)] = folder
    return before


def bundles() -> tuple[tuple[str, ...], str]:
    """The names of the bundles whose work can run in this environment, and what is wrong when it can run none.

    Airflow imports the classes of all bundles for a task of any of them, so one that is not installed stands in the way
    of every task. It is looked for without an import.
    """
    listed = conf.getjson(*BUNDLES)
    if not isinstance(listed, list) or not all(isinstance(one, dict) and "name" in one for one in listed):
        return (), "[dag_processor] dag_bundle_config_list of this environment is not a list of bundles"
    for one in listed:
        module = str(one.get("classpath", "")).rpartition(".")[0]
        if not _is_there(module):
            return (), f"bundle {one['name']} cannot be made: this environment has no module {module}"
    names = [str(one["name"]) for one in listed]
    if names and conf.getboolean(*EXAMPLES):
        from airflow.dag_processing.bundles.manager import DagBundlesManager

        names = list(DagBundlesManager().get_all_bundle_names())
    return tuple(names), ""


def _is_there(module: str) -> bool:
    try:
        return bool(module) and find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _by_default(said: dict[str, Any], section: str, option: str) -> bool:
    found = said.get(section, {}).get(option)
    return found is None or found[1] == "default"


def _variable(section: str, option: str) -> str:
    return f"AIRFLOW__{section.upper()}__{option.upper()}"
