"""The owner's secrets backends, as tasks, triggers, callbacks and Dag files ask them: what fails is said where it is asked.

Airflow goes on to the next backend when one fails, and a task then reads that a connection "isn't defined". Here the log has
one line with the backend, the name, the cause and the remedy.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

import structlog
from airflow.sdk import configuration

from tradewind_runtime import secrets_failures
from tradewind_runtime.airflow import secrets_masker

SLOW: Final = 5.0
"""Seconds after which the log says that a backend took long."""

_OF_THE_PLANE: Final = frozenset({"ExecutionAPISecretsBackend", "MetastoreBackend"})
_AIRFLOWS_OWN: Final = frozenset(
    {"EnvironmentVariablesBackend", "ExecutionAPISecretsBackend", "MetastoreBackend"}
)


class NotReadable(ValueError):
    """A secret is there, and no connection can be made of it."""


class Failures:
    """What could not be read in this process, so that no later line says it is not there."""

    def __init__(self) -> None:
        self._failed: set[tuple[str, str]] = set()
        self._backends: list[Any] = []

    def watch(self, backend: Any) -> None:
        self._backends.append(backend)

    def found_again(self, kind: str, name: str) -> bool:
        """Whether a backend failed to read this. Asks those once more that answer "not there" to some failures, too."""
        for backend in [] if (kind, name) in self._failed else self._backends:
            if (error := kept_back(backend, kind, name)) is not None:
                self.add(kind, name)
                _log().error(sentence(type(backend).__name__, kind, name, error))
        return (kind, name) in self._failed

    def add(self, kind: str, name: str) -> bool:
        """Whether it is the first time."""
        new = (kind, name) not in self._failed
        self._failed.add((kind, name))
        return new


def report(failures: Failures) -> None:
    """From here on, and in forks, each of the owner's backends says in the log of who asks why it could not answer. What it
    raises it still raises: Airflow decides what follows. Idempotent."""
    initialize = configuration.initialize_secrets_backends
    if hasattr(initialize, "reports"):
        return

    @functools.wraps(initialize)
    def initialized(*args: Any, **kwargs: Any) -> list[Any]:
        backends = initialize(*args, **kwargs)
        for backend in backends:
            if type(backend).__name__ not in _AIRFLOWS_OWN:
                failures.watch(backend)
                _Reporter(backend, failures).dress()
        return backends

    initialized.reports = True  # type: ignore[attr-defined]
    configuration.initialize_secrets_backends = initialized


def configured() -> tuple[str, dict[str, Any]]:
    """The class of the configured backend and its keyword arguments, those in variables of their own included; empty without
    one."""
    section, option, arguments = "workers", "secrets_backend", "secrets_backend_kwargs"
    if not configuration.conf.get(section, option, fallback=""):
        section, option, arguments = "secrets", "backend", "backend_kwargs"
    backend = configuration.conf.get(section, option, fallback="")
    found = configuration.conf.getjson(section, arguments, fallback={}) if backend else {}
    kwargs = dict(found) if isinstance(found, dict) else {}
    prefix = f"AIRFLOW__{section}__{arguments[:-1]}__".upper()
    kwargs |= {
        each.removeprefix(prefix).lower(): os.environ[each] for each in os.environ if each.startswith(prefix)
    }
    return backend, kwargs


def own_connection() -> str:
    """Which connection the configured backend itself would need from itself, in a sentence; else empty."""
    backend, kwargs = configured()
    for argument, name in sorted(kwargs.items()):
        if argument.endswith("conn_id") and isinstance(name, str) and name:
            if f"AIRFLOW_CONN_{name.upper()}" not in os.environ:
                return (
                    "a connection used by the secrets backend itself must not live in that backend: "
                    f"{backend.rpartition('.')[2]} signs in with the connection {name!r} ({argument}), and "
                    f"AIRFLOW_CONN_{name.upper()} is not set"
                )
    return ""


OWN_CONNECTION_REMEDY: Final = "Set AIRFLOW_CONN_… of that connection in the environment of this site's tasks, or sign in without a connection"


def variable_of_the_site(name: str) -> dict[str, str]:
    """The `value` of a variable that the site's own backends have, or the `problem`. The plane is not asked."""
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    backends = [each for each in ensure_secrets_backend_loaded() if type(each).__name__ not in _OF_THE_PLANE]
    for backend in backends:
        try:
            value = backend.get_variable(name)
        except Exception as error:
            return {"problem": sentence(type(backend).__name__, "variable", name, error)}
        if value is not None:
            return {"value": str(value)}
        if (kept := kept_back(backend, "variable", name)) is not None:
            return {"problem": sentence(type(backend).__name__, "variable", name, kept)}
    return {"problem": f"it is in none of {', '.join(type(each).__name__ for each in backends)}"}


class _Reporter:
    def __init__(self, backend: Any, failures: Failures) -> None:
        self._backend = backend
        self._name = type(backend).__name__
        self._failures = failures
        self._asked: ContextVar[str] = ContextVar(f"asked_of_{id(backend)}", default="")

    def dress(self) -> None:
        backend = self._backend
        read = backend.deserialize_connection
        backend.deserialize_connection = functools.wraps(read)(_readable(read))
        backend.get_connection = self._reporting(backend.get_connection, "connection", "conn_id")
        backend.get_variable = self._reporting(backend.get_variable, "variable", "key")

    def _reporting(self, ask: Callable[..., Any], kind: str, argument: str) -> Callable[..., Any]:
        @functools.wraps(ask)
        def asking(*args: Any, **kwargs: Any) -> Any:
            name = str(args[0] if args else kwargs.get(argument, ""))
            if (
                self._asked.get()
            ):  # the backend asks itself for a connection to sign in with: for ever, without this
                self._own(kind, name)
                return None
            asked, started = self._asked.set(name), time.monotonic()
            try:
                return ask(*args, **kwargs)
            except NotImplementedError:
                raise
            except Exception as error:
                self._failed(kind, name, error)
                raise
            finally:
                self._asked.reset(asked)
                if (took := time.monotonic() - started) > SLOW:
                    _log().warning(
                        f"{secrets_failures.service(self._name)} took {took:.1f} s to answer for the {kind} {name!r}"
                    )

        return asking

    def _own(self, kind: str, name: str) -> None:
        variable = f"AIRFLOW_{'CONN' if kind == 'connection' else 'VAR'}_{name.upper()}"
        if variable not in os.environ and self._failures.add(kind, name):
            _log().error(
                f"A {kind} used by the secrets backend itself must not live in that backend: {self._name} asks for the {kind} "
                f"{name!r}. Set {variable} in the environment of this site's tasks"
            )

    def _failed(self, kind: str, name: str, error: Exception) -> None:
        if self._failures.add(kind, name):
            _log().error(sentence(self._name, kind, name, error))


def sentence(backend: str, kind: str, name: str, error: Exception) -> str:
    """What a log says of one failure."""
    if isinstance(error, NotReadable):
        return f"{backend} has a secret for the {kind} {name!r}, but {error}"
    failure = secrets_failures.explain(backend, error)
    return (
        f"{secrets_failures.service(backend)} ({backend}) could not read the {kind} {name!r}: "
        f"{secrets_masker.masked(failure.cause)}. To do: {failure.remedy}"
    )


def kept_back(backend: Any, kind: str, name: str) -> Exception | None:
    """What a backend raised and answered as if there were no such secret: Google's does so when access is denied, and AWS
    Secrets Manager's when the value cannot be decrypted. For the others, and when there is none: None."""
    look = _LOOKS.get(type(backend).__name__)
    prefix = getattr(backend, f"{kind}s_prefix", None)
    if look is None or prefix is None:
        return None
    try:
        look(backend, backend.build_path(prefix, name, backend.sep) if prefix else name)
    except Exception as error:
        return None if secrets_failures.is_missing(error) else error
    return None


def _at_aws(backend: Any, secret: str) -> None:
    backend.client.get_secret_value(SecretId=secret)


def _at_google(backend: Any, secret: str) -> None:
    client = backend.client.client
    name = client.secret_version_path(backend.project_id, secret, "latest")
    client.access_secret_version(request={"name": name})


_LOOKS: Final = {"SecretsManagerBackend": _at_aws, "CloudSecretManagerBackend": _at_google}


def _readable(read: Callable[..., Any]) -> Callable[..., Any]:
    def reading(*args: Any, **kwargs: Any) -> Any:
        try:
            return read(*args, **kwargs)
        except Exception as error:
            # the words of the exception may quote the secret
            raise NotReadable(
                f"it is neither a connection's URI nor its JSON ({type(error).__name__}). To do: store it as "
                '{"conn_type": …, "host": …} or as a URI whose user, password and query are percent-encoded'
            ) from None

    return reading


def _log() -> Any:
    return structlog.get_logger(logger_name="task")
