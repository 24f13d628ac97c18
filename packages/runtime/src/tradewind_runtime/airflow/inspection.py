"""Airflow's secrets backends, object storage and bundles, tried out as tasks and the dag processor use them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tradewind_runtime import secrets_failures, time_limits
from tradewind_runtime.airflow import secrets_backends as reports
from tradewind_runtime.airflow import secrets_identity, workloads
from tradewind_runtime.dags import bundle_fetches

_IDENTITY: Final = 10
"""Seconds for the service that tells the identity: a site may reach its secrets and not that one."""

_NOBODY: Final = "tradewind_doctor_asks_for_nothing"
_PREFIXES: Final = {"connections": "AIRFLOW_CONN_", "variables": "AIRFLOW_VAR_"}


class NotReadable(RuntimeError):
    """A backend did not answer; with what to do about it, if that is known."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class Worry(str):
    """Evidence of something that works, and that its owner should look at."""

    def __new__(cls, evidence: str, remedy: str) -> Worry:
        made = super().__new__(cls, evidence)
        made.remedy = remedy
        return made

    remedy: str


def _silent(step: str) -> None:
    """For a caller that does not ask what is being done."""


def secrets_backends(
    connections: Sequence[str] = (),
    variables: Sequence[str] = (),
    tell: Callable[[str], None] = _silent,
) -> str:
    """Read the connections and variables that are named, the way a task reads them; when none is, ask each backend for a
    connection that no site has, and read the first of those that can be listed. Says as whom, and which backend
    answered. Raises NotReadable."""
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    tell("importing what tasks import")
    workloads.prepare()  # what it imports is imported where tasks ask
    if problem := reports.own_connection():
        raise NotReadable(problem, reports.OWN_CONNECTION_REMEDY)
    tell(f"making {reports.configured()[0] or 'the secrets backends'}")
    backends = ensure_secrets_backend_loaded()
    owners = [each for each in backends if type(each).__name__ != "EnvironmentVariablesBackend"]
    asking = (
        f"asking {', '.join(secrets_failures.service(_class(each)) for each in owners) or 'the environment'}"
    )
    if not connections and not variables:
        tell(f"{asking} for a connection that no site has")
        for backend in owners:
            _ask(backend)
    took: list[float] = []
    read: list[str] = []
    for name in connections or _listed(backends, "connections"):
        tell(f"{asking} for the connection {name!r}")
        read.append(_read_connection(name, backends, took))
    for name in variables or _listed(backends, "variables"):
        tell(f"{asking} for the variable {name!r}")
        read.append(_read_variable(name, backends, took))
    tell(f"{asking} as whom this environment signs in")
    asked = ", ".join(map(_introduced, owners))
    parts = [f"asked and answered: {asked}" if asked else "none but the environment's variables"]
    said = "; ".join([*parts, *(["read as a task reads: " + ", ".join(read)] if read else [])])
    if took and max(took) > reports.SLOW:
        slow = ", ".join(secrets_failures.service(_class(each)) for each in owners)
        return Worry(
            f"{said}; one read took {max(took):.1f} s",
            f"Look at the load of {slow or 'the backend'} and at the network between: each task waits as long",
        )
    return said


def _introduced(backend: Any) -> str:
    """Its class, and as whom it signs in."""
    name = type(backend).__name__
    try:
        known_as = time_limits.within(_IDENTITY, lambda: secrets_identity.identity(backend))
    except Exception as error:
        known_as = f"an unknown identity: {secrets_failures.explain(name, error).cause}"
    return f"{name} as {known_as}" if known_as else name


def _listed(backends: Sequence[Any], what: str) -> list[str]:
    """The first name of those that can be listed: of a file, else of the environment's variables."""
    names = sorted(
        name for backend in backends for name in getattr(backend, f"_local_{what}", None) or ()
    ) or sorted(
        name.removeprefix(_PREFIXES[what]).lower() for name in os.environ if name.startswith(_PREFIXES[what])
    )
    return names[:1]


def _read_connection(name: str, backends: Sequence[Any], took: list[float]) -> str:
    from airflow.sdk import Connection
    from airflow.sdk.execution_time.context import _get_connection

    try:
        found: Connection = _get_connection(name)
    except Exception as error:
        raise _why_not_found("connection", name, backends, error) from error
    return f"connection {name} ({found.conn_type}) from {_answered('connection', name, backends, took)}"


def _read_variable(name: str, backends: Sequence[Any], took: list[float]) -> str:
    from airflow.sdk.execution_time.context import _get_variable

    try:
        _get_variable(name, deserialize_json=False)
    except Exception as error:
        raise _why_not_found("variable", name, backends, error) from error
    return f"variable {name} from {_answered('variable', name, backends, took)}"


def _answered(kind: str, name: str, backends: Sequence[Any], took: list[float]) -> str:
    """Which backend has it, and what else leads to the same secret there. It has signed in by now: `took` gets the seconds
    that each read takes from here on."""
    for backend in backends:
        started = time.monotonic()
        with suppress(Exception):  # a task goes on to the next one, too
            found = getattr(backend, f"get_{kind}")(name)
            took.append(time.monotonic() - started)
            if found is not None:
                also = ""
                if type(backend).__name__ == "AzureKeyVaultBackend" and "_" in name:
                    also = f" (Key Vault has no underscores: {name.replace('_', '-')!r} is the same secret)"
                return type(backend).__name__ + also
    return "a backend that has it no more"


def _why_not_found(kind: str, name: str, backends: Sequence[Any], error: Exception) -> NotReadable:
    """A task is only told that it is not defined; what a backend raised goes to its debug log."""
    for backend in backends:
        try:
            getattr(backend, f"get_{kind}")(name)
        except Exception as cause:
            return _failure(backend, kind, name, cause)
        if (kept := reports.kept_back(backend, kind, name)) is not None:
            return _failure(backend, kind, name, kept)
    asked = ", ".join(type(each).__name__ for each in backends)
    return NotReadable(
        f"{kind} {name!r} cannot be read by a task: it is in none of {asked}",
        "Store it under the name that the backend's prefix makes of it",
    )


def _failure(backend: Any, kind: str, name: str, error: Exception) -> NotReadable:
    said, _, remedy = reports.sentence(_class(backend), kind, name, error).partition(" To do: ")
    return NotReadable(f"{kind} {name!r} cannot be read by a task: {said}", remedy)


def _class(backend: Any) -> str:
    return type(backend).__name__


def _ask(backend: Any) -> None:
    """For a connection, and for a variable: a backend may keep them in different places. Raises NotReadable."""
    for kind in ("connection", "variable"):
        try:
            _look(backend, kind)
            kept = reports.kept_back(backend, kind, _NOBODY)
        except Exception as error:
            kept = error
        if kept is not None:
            raise _failure(backend, kind, _NOBODY, kept) from kept


def _look(backend: Any, kind: str) -> None:
    with suppress(NotImplementedError):  # a backend has one of two methods for connections
        getattr(backend, f"get_{kind}")(_NOBODY)
        return
    if kind == "connection":
        backend.get_conn_value(_NOBODY)


def bundle_names() -> list[str]:
    """The bundles this environment's configuration has."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    return sorted(DagBundlesManager()._bundle_config)


def bundle(name: str, kept: str, tell: Callable[[str], None] = _silent) -> str:
    """Fetch it as the dag processor does, but into a folder of its own, and look for Dag files; `kept` is where agents keep
    theirs. Raises what the bundle raises."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    tell("reading its settings and its connection")
    made = DagBundlesManager().get_bundle(name=name)
    where = bundle_fetches.words(Exception(f"{getattr(made, 'repo_url', None) or made.path}"))
    tell(f"fetching it from {where}")
    made.initialize()
    if not made.path.is_dir():
        raise FileNotFoundError(f"{made.path} is not a directory")
    files = sum(1 for _ in made.path.rglob("*.py"))
    version = made.get_current_version() if made.supports_versioning else None
    if kept:
        _check_clone(Path(kept) / name)
    return f"{where}: {files} Python files" + (f", version {version}" if version else "")


def _check_clone(folder: Path) -> None:
    """Raises PermissionError when the clone an agent keeps is another user's: Git calls that dubious ownership."""
    for clone in (folder / "bare", folder / "tracking_repo"):
        with suppress(FileNotFoundError):  # nothing was cloned yet
            if (owner := clone.stat().st_uid) != os.geteuid():
                raise PermissionError(
                    f"the clone {clone} belongs to user id {owner} and this is user id {os.geteuid()}: Git takes that for "
                    "dubious ownership"
                )
