"""The environment of a component's process, made ready before Airflow is imported for the first time."""

from __future__ import annotations

import os
import pwd
from collections.abc import MutableMapping
from typing import Final

from tradewind_protocol.hosts import Configure
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import Component
from tradewind_runtime import storage_marks

NO_DATABASE: Final = "airflow-db-not-allowed:///"
"""What stands where a connection string would: a site has no metadata database. The Task SDK uses the same words."""

_DATABASE: Final = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN")
XCOM_PATH: Final = "xcom_objectstorage_path"
XCOM_THRESHOLD: Final = "xcom_objectstorage_threshold"
STORE_PATH: Final = "state_store_objectstorage_path"
STORE_THRESHOLD: Final = "state_store_objectstorage_threshold"
_COMMANDS: Final = {
    Component.WORKER: "scheduler",  # which forks LocalExecutor's workers
    Component.DAG_PROCESSOR: "dag_processor",
    Component.TRIGGERER: "triggerer",
}
"""Whose section of the configuration holds for a component's processes."""


def prepare(configure: Configure, environ: MutableMapping[str, str] = os.environ) -> None:
    """Set what Airflow reads from the environment, then import Airflow without a database.

    Nothing secret is set. What the site's own configuration says stays, but for the database, which is always
    closed, and the log folder, which is the agent's when it names one.
    """
    without_database(environ)
    # Would make Connection and Variable look in the metadata database first (`prepare_server_process_context`).
    environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)
    # Airflow would start a thread for them here, and a thread does not survive a fork: see `airflow.traces`.
    environ["AIRFLOW__TRACES__OTEL_ON"] = "False"
    if configure.log_directory:
        environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] = configure.log_directory

    if not _has_user_name(environ):  # Airflow sends one with every start, and refuses to work without
        environ["USER"] = f"uid-{os.getuid()}"

    from tradewind_runtime.airflow import process

    process.import_airflow_without_database()
    from tradewind_runtime.airflow import site_settings

    site_settings.keep_to_the_site(str(configure.options.get("state_directory") or ""), environ)
    if (base_url := configure.options.get("base_url")) and not process.has_base_url():
        environ["AIRFLOW__API__BASE_URL"] = str(base_url)
    _keep_values_at_the_site(configure, environ)
    process.start_as_airflows_commands_do(_COMMANDS[configure.component])
    process.complete_the_models()
    process.use_own_fernet_key(unless_configured=True)
    process.mask_configured_secrets()

    from tradewind_runtime.airflow import plane_secrets, secrets_backends

    failures = secrets_backends.Failures()
    secrets_backends.report(failures)
    plane_secrets.explain_what_is_not_read(configure, failures)


def _keep_values_at_the_site(configure: Configure, environ: MutableMapping[str, str]) -> None:
    """Choose backends for XCom and for the task and asset stores, where the site's configuration has chosen no others.

    Where the policy is strict they keep values in the site's storage. Where it is open values go to the plane, and the
    XCom backend still reads what is in the site's storage: another agent's policy may be strict, or this one's was."""
    from tradewind_runtime.airflow import process

    sealed_below = str(int(configure.options.get("sealed_below") or 0))
    path = xcom_path(configure)
    if process.xcom_backend_is_airflows_own() and (path or process.configured("common.io", XCOM_PATH)):
        environ["AIRFLOW__CORE__XCOM_BACKEND"] = "tradewind_runtime.xcom.SiteXComBackend"
        _unless_configured(environ, XCOM_PATH, path)
        # Whatever the site's own threshold says: small values that left would be refused unless they are sealed, large ones
        # need no storage.
        strict = (configure.xcom or configure.policy) is Policy.STRICT
        environ[_variable(XCOM_THRESHOLD)] = sealed_below if strict else "-1"
    path = store_path(configure)
    strict = (configure.store or configure.policy) is Policy.STRICT
    if (
        strict
        and process.has_no_state_store_backend()
        and (path or process.configured("common.io", STORE_PATH))
    ):
        environ["AIRFLOW__WORKERS__STATE_STORE_BACKEND"] = "tradewind_runtime.state.SiteStateStoreBackend"
        _unless_configured(environ, STORE_PATH, path)
        if sealed_below != "0":
            environ[_variable(STORE_THRESHOLD)] = sealed_below


def _unless_configured(environ: MutableMapping[str, str], option: str, value: str) -> None:
    """Set an option of `[common.io]`, unless the site's `airflow.cfg` or environment has."""
    from tradewind_runtime.airflow import process

    if not process.configured("common.io", option):
        environ[_variable(option)] = value


def _variable(option: str) -> str:
    return f"AIRFLOW__COMMON_IO__{option.upper()}"


def _has_user_name(environ: MutableMapping[str, str]) -> bool:
    """Whether `getpass.getuser` would find one. Containers often run as a number that has no name."""
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
    """Where XCom values go when the site's configuration does not say: `xcom` below `options["storage"]` (a URL or a
    folder), else below `options["state_directory"]`; empty when the agent names neither."""
    return _below_storage(configure, "xcom")


def store_path(configure: Configure) -> str:
    """Where values of the task and asset stores go when the site's configuration does not say: beside the XComs."""
    return _below_storage(configure, "state")


def _below_storage(configure: Configure, folder: str) -> str:
    base = configure.options.get("storage") or configure.options.get("state_directory") or ""
    return f"{storage_marks.as_url(str(base))}/{folder}" if base else ""
