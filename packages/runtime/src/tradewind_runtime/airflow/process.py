"""Airflow as a library inside one of our processes: imported without a database, configured as its own commands do."""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn


class NoDatabase:
    """Stands where Airflow keeps its session factory: a caller gets an error that says why it cannot work here."""

    def __init__(self, *_: Any, **__: Any) -> None:
        _refuse()

    @staticmethod
    def remove() -> None:
        """Airflow calls this at exit on the real one."""


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError(
        "this process runs on a remote execution agent and has no Airflow metadata database. Use the Task SDK "
        "(airflow.sdk: Variable, Connection, task context) instead of models and sessions"
    )


def import_airflow_without_database() -> None:
    """Import Airflow with its settings and logging, leaving the ORM unconfigured: no engine, no `airflow.db`.

    `airflow/__init__.py` builds an engine as it is imported unless the process says it is a helper of a virtualenv
    operator (`settings.initialize`); an engine for a made-up URL would fail there. So we say that, for the import.
    """
    switch = "PYTHON_OPERATORS_VIRTUAL_ENV_MODE"
    before = os.environ.get(switch)
    os.environ[switch] = "1"
    try:
        from airflow import settings
    finally:
        if before is None:
            del os.environ[switch]
        else:
            os.environ[switch] = before
    settings.Session = NoDatabase
    settings.NonScopedSession = NoDatabase
    settings.configure_orm = _refuse


def start_as_airflows_commands_do(component: str) -> None:
    """What `airflow scheduler`, `airflow dag-processor` and `airflow triggerer` do before they work, and what the processes
    they fork find: where the tickets of Kerberos are, and how multiprocessing starts processes. `component` is the section
    of the configuration that names the latter, before `[core]`."""
    from airflow.configuration import conf
    from airflow.utils import process_utils

    if conf.get("core", "security", fallback="") == "kerberos":
        os.environ["KRB5CCNAME"] = conf.get("kerberos", "ccache")
        os.environ["KRB5_KTNAME"] = conf.get("kerberos", "keytab")
    if choose_start_method := getattr(process_utils, "set_component_mp_start_method", None):  # Airflow 3.3
        choose_start_method(component)


def use_own_fernet_key(*, unless_configured: bool = False) -> None:
    """Give this process, and what it forks, a Fernet key that no other process has and that is stored nowhere.

    `airflow.models.Connection` encrypts a password as soon as it has one, which here is never stored: without a key
    each task that reads a connection would warn that values are not encrypted. The plane's key does not come here.
    """
    from airflow.configuration import conf
    from airflow.models.crypto import get_fernet
    from cryptography.fernet import Fernet

    if unless_configured and conf.get("core", "fernet_key", fallback=""):
        return
    for suffix in ("", "_CMD", "_SECRET"):
        os.environ.pop(f"AIRFLOW__CORE__FERNET_KEY{suffix}", None)
    conf.set("core", "fernet_key", Fernet.generate_key().decode())
    get_fernet.cache_clear()


def complete_the_models() -> None:
    """Import every model of Airflow's and tie them together.

    A scheduler, from which LocalExecutor's workers are forked, has done it. A process in which some models are there and
    others are not cannot make a single `airflow.models.Connection`: SQLAlchemy refuses it for a relationship of another
    model. Secrets backends, hooks and Dags of Airflow 2's style make them.
    """
    from airflow import models
    from sqlalchemy.orm import configure_mappers

    models.import_all_models()
    configure_mappers()


def mask_configured_secrets() -> None:
    """Hide the secrets of Airflow's configuration in every log: the other thing that switch leaves out. It loads the
    secrets backends, and with them the XCom backend: choose that one first."""
    from airflow.configuration import conf

    conf.mask_secrets()


def has_base_url() -> bool:
    """True when the site's configuration says where Airflow's UI is."""
    from airflow.configuration import conf

    return bool(conf.get("api", "base_url", fallback=""))


def xcom_backend_is_airflows_own() -> bool:
    """True when the site's configuration names no XCom backend of its own."""
    from airflow.configuration import conf

    own = ("airflow.sdk.execution_time.xcom.BaseXCom", "airflow.sdk.bases.xcom.BaseXCom")
    return conf.get("core", "xcom_backend") in own


def has_no_state_store_backend() -> bool:
    """True when this Airflow knows state stores (3.3) and the site's configuration names no backend for them."""
    from importlib.util import find_spec

    from airflow.configuration import conf

    known = find_spec("airflow.sdk.state") is not None
    return known and not conf.get("workers", "state_store_backend", fallback="")


def configured(section: str, option: str) -> str:
    """What the site's `airflow.cfg` and environment say; an option's default where they say nothing."""
    from airflow.configuration import conf

    return str(conf.get(section, option, fallback="") or "")


class _SignalsButCrashes:
    """The `signal` module, but for a handler of SIGSEGV, which it does not install."""

    @staticmethod
    def signal(number: int, handler: Any) -> Any:
        return None if number == signal.SIGSEGV else signal.signal(number, handler)

    def __getattr__(self, name: str) -> Any:
        return getattr(signal, name)


def let_crashes_crash() -> None:
    """Let a process that parses Dags die of a segmentation fault.

    Airflow's importer installs a Python handler for SIGSEGV and leaves it there. Such a handler only takes a note and
    returns to the instruction that failed, which fails again: a task that crashes in native code would keep a CPU
    busy for ever, its heartbeats in order. If a later Airflow has no such handler, this changes nothing.
    """
    from airflow.dag_processing.importers import python_importer

    if getattr(python_importer, "signal", None) is signal:
        python_importer.signal = _SignalsButCrashes()


def leave_executors_to_the_plane() -> None:
    """Let a Dag name an executor (`executor=`) that this site's configuration does not know.

    Airflow refuses such a Dag wherever it parses one. Which executors there are is the plane's affair: its scheduler
    looks the name up. If a later Airflow has no such check, this changes nothing.
    """
    from airflow.dag_processing import dagbag

    if hasattr(dagbag, "_executor_exists"):
        dagbag._executor_exists = lambda *_, **__: True
