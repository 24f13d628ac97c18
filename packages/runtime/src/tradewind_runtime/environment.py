"""The process environment of a host, made ready before Airflow is imported for the first time."""

from __future__ import annotations

import os
import pwd
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from tradewind_protocol.hosts import Configure
from tradewind_protocol.sessions import Policy

NO_DATABASE: Final = "airflow-db-not-allowed:///"
"""What stands where a connection string would: a host has no metadata database. The Task SDK uses the same words."""

_DATABASE: Final = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN")
_XCOM_PATH: Final = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH"
_XCOM_THRESHOLD: Final = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD"
_STORE_PATH: Final = "AIRFLOW__COMMON_IO__STATE_STORE_OBJECTSTORAGE_PATH"


def prepare(configure: Configure, environ: MutableMapping[str, str] = os.environ) -> None:
    """Set what Airflow reads from the environment, then import Airflow without a database.

    Nothing secret is set. What the site's own configuration says stays, but for the database, which is always
    closed, and the log folder, which is the agent's when it names one.
    """
    without_database(environ)
    # Would make Connection and Variable look in the metadata database first (`prepare_server_process_context`).
    environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)
    # Airflow would start a thread for them here, and a thread does not survive a fork: see `seams.traces`.
    environ["AIRFLOW__TRACES__OTEL_ON"] = "False"
    if configure.log_directory:
        environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] = configure.log_directory

    if not _has_user_name(environ):  # Airflow sends one with every start, and refuses to work without
        environ["USER"] = f"uid-{os.getuid()}"

    from tradewind_runtime.seams import process

    process.import_airflow_without_database()
    _keep_values_at_the_site(configure, environ)
    process.mask_configured_secrets()


def _keep_values_at_the_site(configure: Configure, environ: MutableMapping[str, str]) -> None:
    """Choose backends for XCom and for the task and asset stores that keep values in the site's storage, where the
    policy is strict and the site's configuration has chosen no others."""
    from tradewind_runtime.seams import process

    path = xcom_path(configure)
    strict = (configure.xcom or configure.policy) is Policy.STRICT
    if strict and process.xcom_backend_is_airflows_own() and (path or _XCOM_PATH in environ):
        environ["AIRFLOW__CORE__XCOM_BACKEND"] = "tradewind_runtime.xcom.SiteXComBackend"
        environ.setdefault(_XCOM_PATH, path)
        environ.setdefault(_XCOM_THRESHOLD, "0")
    path = store_path(configure)
    strict = (configure.store or configure.policy) is Policy.STRICT
    if strict and process.has_no_state_store_backend() and (path or _STORE_PATH in environ):
        environ["AIRFLOW__WORKERS__STATE_STORE_BACKEND"] = (
            "airflow.providers.common.io.state_store.backend.StateStoreObjectStorageBackend"
        )
        environ.setdefault(_STORE_PATH, path)


def _has_user_name(environ: MutableMapping[str, str]) -> bool:
    """Whether `getpass.getuser` would find one. Containers often run as a number nobody wrote down."""
    if any(environ.get(name) for name in ("LOGNAME", "USER", "LNAME", "USERNAME")):
        return True
    try:
        return bool(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return False


def without_database(environ: MutableMapping[str, str]) -> None:
    """Close every way Airflow has to find a connection string. Idempotent."""
    for name in _DATABASE:
        environ[name] = NO_DATABASE
        for indirect in ("_CMD", "_SECRET"):
            environ.pop(name + indirect, None)


def xcom_path(configure: Configure) -> str:
    """Where XCom values go when the site's configuration does not say: `options["xcom_path"]`, a URL, else a
    directory under `options["state_directory"]`; empty when the agent names neither."""
    if path := configure.options.get("xcom_path"):
        return str(path)
    if state := configure.options.get("state_directory"):
        return f"file://{Path(str(state)).absolute() / 'xcom'}"
    return ""


def store_path(configure: Configure) -> str:
    """Where values of the task and asset stores go when the site's configuration does not say: beside the XComs."""
    xcom = xcom_path(configure)
    return f"{xcom.rstrip('/').removesuffix('/xcom')}/state" if xcom else ""
