"""Airflow's secrets backends, object storage and bundles, tried out as tasks and the dag processor use them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from airflow.sdk.configuration import conf

from tradewind_runtime.airflow import workloads
from tradewind_runtime.dags import bundle_fetches

_NOBODY: Final = "tradewind_doctor_asks_for_nothing"
_PREFIXES: Final = {"connections": "AIRFLOW_CONN_", "variables": "AIRFLOW_VAR_"}


def secrets_backends(connections: Sequence[str] = (), variables: Sequence[str] = ()) -> str:
    """Ask each backend for a connection that does not exist, then read what there is, the way a task reads it: the connections and
    variables that are named, else the first of those that can be listed. Raises what a backend raises."""
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    workloads.prepare()  # what it imports is imported where tasks ask
    backends = ensure_secrets_backend_loaded()
    asked = []
    for backend in backends:
        name = type(backend).__name__
        if name == "EnvironmentVariablesBackend":
            continue
        try:
            _ask(backend)
        except Exception as error:
            raise _of(backend, error) from error
        asked.append(name)
    answered = f"asked and answered: {', '.join(asked)}" if asked else "none but the environment's variables"
    read = [
        *(_read_connection(one, backends) for one in connections or _listed(backends, "connections")),
        *(_read_variable(one, backends) for one in variables or _listed(backends, "variables")),
    ]
    return "; ".join([answered, *(["read as a task reads: " + ", ".join(read)] if read else [])])


def _listed(backends: Sequence[Any], what: str) -> list[str]:
    """The first name of those that can be listed: of a file, else of the environment's variables."""
    names = sorted(
        name for backend in backends for name in getattr(backend, f"_local_{what}", None) or ()
    ) or sorted(
        name.removeprefix(_PREFIXES[what]).lower() for name in os.environ if name.startswith(_PREFIXES[what])
    )
    return names[:1]


def _read_connection(name: str, backends: Sequence[Any]) -> str:
    from airflow.sdk import Connection
    from airflow.sdk.execution_time.context import _get_connection

    try:
        found: Connection = _get_connection(name)
    except Exception as error:
        raise _why_not_found(f"connection {name!r}", "get_connection", name, backends, error) from error
    return f"connection {name} ({found.conn_type})"


def _read_variable(name: str, backends: Sequence[Any]) -> str:
    from airflow.sdk.execution_time.context import _get_variable

    try:
        _get_variable(name, deserialize_json=False)
    except Exception as error:
        raise _why_not_found(f"variable {name!r}", "get_variable", name, backends, error) from error
    return f"variable {name}"


def _why_not_found(
    what: str, method: str, name: str, backends: Sequence[Any], error: Exception
) -> RuntimeError:
    """A task is only told that it is not defined; what a backend raised goes to its debug log."""
    for backend in backends:
        try:
            getattr(backend, method)(name)
        except Exception as cause:
            return RuntimeError(f"{what} cannot be read by a task: {_of(backend, cause)}")
    return RuntimeError(f"{what} cannot be read by a task: {error}")


def _of(backend: Any, error: Exception) -> Exception:
    name = type(backend).__name__
    if type(error) is RuntimeError:
        return RuntimeError(f"{name}: {error}")
    return RuntimeError(f"{name}: {type(error).__name__}: {error}")


def _ask(backend: Any) -> None:
    """For a connection, and for a variable: a backend may keep them in different places."""
    try:
        backend.get_connection(_NOBODY)
    except NotImplementedError:
        backend.get_conn_value(_NOBODY)
    with suppress(NotImplementedError):
        backend.get_variable(_NOBODY)


def xcom_storage() -> str:
    """Write, read and delete an object where XCom values go. Raises what the storage raises."""
    backend = conf.get("core", "xcom_backend", fallback="")
    path = conf.get("common.io", "xcom_objectstorage_path", fallback="")
    if not path:
        return f"{backend or 'Airflow’s own backend'}: values are not kept at the site"
    if backend.endswith(".SiteXComBackend") and conf.getint("common.io", "xcom_objectstorage_threshold") < 0:
        return "values go to the plane: the data policy for xcom is open"
    from airflow.sdk import ObjectStoragePath

    folder = ObjectStoragePath(path)
    if folder.protocol in ("file", "local"):
        folder.mkdir(parents=True, exist_ok=True)
    thing = folder / f".tradewind-doctor-{uuid4().hex}"
    with thing.open("wb") as file:
        file.write(b"tradewind")
    try:
        with thing.open("rb") as file:
            if (found := file.read()) != b"tradewind":
                raise OSError(f"{thing} reads {len(found)} other bytes than were written")
    finally:
        thing.unlink()
    return f"wrote, read and deleted an object in {path}"


def bundle_names() -> list[str]:
    """The bundles this environment's configuration has."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    return sorted(DagBundlesManager()._bundle_config)


def bundle(name: str, kept: str) -> str:
    """Fetch it as the dag processor does, but into a folder of its own, and look for Dag files; `kept` is where agents keep
    theirs. Raises what the bundle raises."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    made = DagBundlesManager().get_bundle(name=name)
    made.initialize()
    if not made.path.is_dir():
        raise FileNotFoundError(f"{made.path} is not a directory")
    files = sum(1 for _ in made.path.rglob("*.py"))
    version = made.get_current_version() if made.supports_versioning else None
    if kept:
        _check_clone(Path(kept) / name)
    where = f"{made.repo_url}" if getattr(made, "repo_url", None) else f"{made.path}"
    return f"{bundle_fetches.words(Exception(where))}: {files} Python files" + (
        f", version {version}" if version else ""
    )


def _check_clone(folder: Path) -> None:
    """Raises PermissionError when the clone an agent keeps is another user's: Git calls that dubious ownership."""
    for clone in (folder / "bare", folder / "tracking_repo"):
        with suppress(FileNotFoundError):
            if (owner := clone.stat().st_uid) != os.geteuid():
                raise PermissionError(
                    f"the clone {clone} belongs to user id {owner} and this is user id {os.geteuid()}: Git takes that for "
                    "dubious ownership"
                )
