"""How Airflow names a task's log file, and where it reads logs from.

Airflow 3.3 refuses a `[logging] remote_base_log_folder` of a scheme it does not know before it asks providers, and a
`logging_config_class` may be somebody's own, so the reader is put in its place when the API server loads the plugin.
"""

from __future__ import annotations

from typing import Any

from airflow import logging_config
from airflow.utils.log.file_task_handler import FileTaskHandler
from sqlalchemy import inspect
from sqlalchemy.orm.attributes import set_committed_value


def path_of(ti: Any, try_number: int) -> str:
    """The log's path under a log directory, as Airflow names it for worker and reader alike."""
    return str(FileTaskHandler("")._render_filename(ti, try_number))


def install(reader: Any) -> bool:
    """Let Airflow ask `reader` (a RemoteLogStreamIO) for logs in this process. False, and nothing changes, when a
    remote log storage is configured: logs are there. Idempotent."""
    configured = logging_config.get_remote_task_log()
    if configured is not None:
        return isinstance(configured, type(reader))
    logging_config._ActiveLoggingConfig.set(
        reader, logging_config._ActiveLoggingConfig.default_remote_conn_id
    )
    return True


def ask_no_log_server(ti: Any) -> None:
    """Keep Airflow from asking `http://<host name>:<port>/log/…` for this task's log in the request in hand.

    The host names were named by agents: the plane opens no connection to where an agent points. Changes what is in
    memory only, nothing of it reaches the database.
    """
    job = getattr(ti, "triggerer_job", None)
    for row in (ti, job):
        if row is not None and inspect(row, raiseerr=False) is not None:
            set_committed_value(row, "hostname", "")


def remote_is(kind: type[Any]) -> bool:
    """True when Airflow's remote log storage is one of `kind`."""
    return isinstance(logging_config.get_remote_task_log(), kind)
