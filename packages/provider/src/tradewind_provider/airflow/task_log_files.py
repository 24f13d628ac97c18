"""How Airflow names a task's log file, and where it reads logs from.

Airflow 3.3 refuses a `[logging] remote_base_log_folder` of a scheme it does not know before it asks providers, and a
`logging_config_class` may be the owner's own, so the reader is put in its place when the API server loads the plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

from airflow import logging_config
from airflow.configuration import conf
from airflow.utils.log.file_task_handler import FileTaskHandler, _get_compatible_log_stream
from airflow.utils.state import State
from sqlalchemy import inspect
from sqlalchemy.orm.attributes import set_committed_value

Lines = Generator[str, None, None]


def path_of(ti: Any, try_number: int) -> str:
    """The log's path under a log directory, as Airflow names it for worker and reader alike."""
    return str(FileTaskHandler("")._render_filename(ti, try_number))


def install(kind: type[Any], make: Callable[[Any], Any]) -> None:
    """Let Airflow ask `make(storage)` (a RemoteLogStreamIO of that kind) for logs in this process.

    `storage` is the remote log storage that Airflow is configured with, or None. Idempotent.
    """
    storage = logging_config.get_remote_task_log()
    if not isinstance(storage, kind):
        logging_config._ActiveLoggingConfig.set(
            make(storage), logging_config._ActiveLoggingConfig.default_remote_conn_id
        )


def unfinished(ti: Any) -> bool:
    """True while Airflow also looks for the log in its own log folder and at log servers, whatever its storage has."""
    return ti.state in State.unfinished


def from_storage(storage: Any, path: str, ti: Any) -> tuple[list[str], list[Lines]]:
    """What a remote log storage answers, in the newer of the two forms that storages have."""
    if stream := getattr(storage, "stream", None):
        sources, lines = stream(path, ti)
        return list(sources), list(lines or ())
    sources, texts = storage.read(path, ti)
    return list(sources), [_get_compatible_log_stream(texts)] if texts else []


def from_log_folder(path: str) -> tuple[list[str], list[Lines]]:
    """The try's files in the log folder of this machine: its log, and those of its triggers."""
    folder = conf.get("logging", "base_log_folder")
    sources, lines = FileTaskHandler(folder)._read_from_local(Path(folder, path))
    return list(sources), cast("list[Lines]", lines)


def address_of(
    dag_id: str,
    run_id: str,
    task_id: str,
    try_number: int,
    *,
    map_index: int,
    parameters: Mapping[str, str],
) -> str:
    """The address of a log in Airflow's API."""
    names = (quote(name, safe="") for name in (dag_id, run_id, task_id))
    path = "/api/v2/dags/{}/dagRuns/{}/taskInstances/{}".format(*names)
    base = conf.get("api", "base_url", fallback="").rstrip("/")
    asked = urlencode({"map_index": map_index, **parameters})
    return f"{base}{path}/logs/{try_number}?{asked}"


def ask_no_log_server(row: Any) -> None:
    """Keep Airflow from asking `http://<host name>:<port>/log/…` in the request in hand, for the task instance or
    triggerer job whose row it is.

    The host names were named by agents: the plane opens no connection to where an agent points. Changes what is in
    memory only, nothing of it reaches the database.
    """
    _only_in_memory(row, "hostname", "")


def belongs_to_executor(ti: Any, executor: str) -> None:
    """Let Airflow ask that executor for the log of this task instance while it runs, also when the task names none and
    the plane's first executor is another. In memory only."""
    if not getattr(ti, "executor", None):
        _only_in_memory(ti, "executor", executor)


def _only_in_memory(row: Any, column: str, value: str) -> None:
    if row is not None and inspect(row, raiseerr=False) is not None:
        set_committed_value(row, column, value)


def remote_is(kind: type[Any]) -> bool:
    """True when Airflow's remote log storage is one of `kind`."""
    return isinstance(logging_config.get_remote_task_log(), kind)
