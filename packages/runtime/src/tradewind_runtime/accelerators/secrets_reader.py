"""One process that reads the site's secrets backend for the tasks of a worker process: one client, signed in, its connection open.

A task that reads for itself imports a client, makes one, signs in and opens a connection. What the reader does not answer, for
whatever reason, a task reads for itself: exceptions, their lines in the log and what follows them are the same.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Final, NoReturn

import structlog
from airflow.sdk import configuration
from airflow.sdk.execution_time.secrets import DEFAULT_SECRETS_SEARCH_PATH_WORKERS

from tradewind_runtime import kernel

log = structlog.get_logger(__name__)

BACKENDS: Final = frozenset(
    {
        "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
        "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend",
        "airflow.providers.google.cloud.secrets.secret_manager.CloudSecretManagerBackend",
        "airflow.providers.hashicorp.secrets.vault.VaultBackend",
        "airflow.providers.microsoft.azure.secrets.key_vault.AzureKeyVaultBackend",
    }
)
"""Those whose answer depends on nothing of the task. One of the owner's own may do."""

PATIENCE: Final = 10.0
"""Seconds after which a task reads for itself. A cloud's client that is refused tries for a minute, and so does the task's own
then: it must not wait for one after the other."""

_MOST_ANSWERS: Final = 10_000

_METHODS: Final = {"get_conn_value": "conn_id", "get_variable": "key"}


class SecretsReader:
    name = "secrets_reader"

    def __init__(
        self, backends: Collection[str] = BACKENDS, *, cached: float = 0.0, patience: float = PATIENCE
    ) -> None:
        """`cached`: seconds for which an answer is given again without asking the backend."""
        self._backends, self._cached, self._patience = backends, cached, patience
        self._pid = 0
        self._folder = ""

    @property
    def pids(self) -> Collection[int]:
        """The reader's, while there is one: it is no process of an attempt."""
        return (self._pid,) if self._pid else ()

    def applies(self) -> str | None:
        name = _configured()
        if not name:
            return "no secrets backend is configured"
        if name not in self._backends:
            return f"{name.rpartition('.')[2]} is not the backend of a cloud or of Vault"
        return None

    def install(self) -> None:
        """Fork the reader, and have what this process forks from now on ask it first."""
        cls = configuration.conf.getimport(*_option())
        self._folder = tempfile.mkdtemp(prefix="tradewind-secrets-")  # nobody else may enter it
        address = os.path.join(self._folder, "reader")
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(address)
        listening.listen(128)
        parent = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            _read_for_tasks(listening, cls, parent, cached=self._cached)
        listening.close()
        for method, argument in _METHODS.items():
            ask = functools.partial(_asked, address, method, patience=self._patience)
            setattr(cls, method, _asking_first(getattr(cls, method), argument, ask))
        # made once, before the fork; without a client, which a task makes when it has to
        configuration.ensure_secrets_loaded(default_backends=DEFAULT_SECRETS_SEARCH_PATH_WORKERS)

    def close(self) -> None:
        """Remove what is left of it. The reader itself ends with the worker process."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _option() -> tuple[str, str]:
    own = ("workers", "secrets_backend")
    return own if configuration.conf.get(*own, fallback="") else ("secrets", "backend")


def _configured() -> str:
    return str(configuration.conf.get(*_option(), fallback="") or "")


# ---- in a task


def _asking_first(read: Callable[..., Any], argument: str, ask: Callable[[str], Any]) -> Callable[..., Any]:
    @functools.wraps(read)
    def asking(self: Any, *args: Any, **kwargs: Any) -> Any:
        name = args[0] if args else kwargs.get(argument)
        if len(args) > 1 or kwargs.get("team_name") is not None or not isinstance(name, str):
            return read(self, *args, **kwargs)
        with suppress(OSError, ValueError, LookupError):  # the reader has no answer: read here, as without it
            return ask(name)
        return read(self, *args, **kwargs)

    return asking


def _asked(address: str, method: str, name: str, *, patience: float) -> Any:
    """The reader's answer. Raises OSError, ValueError or LookupError when it has none."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience)
        connection.connect(address)
        connection.sendall(json.dumps([method, name]).encode() + b"\n")
        with connection.makefile("rb") as answer:
            return json.loads(answer.read())["value"]


# ---- in the reader


def _read_for_tasks(listening: socket.socket, cls: Any, parent: int, *, cached: float) -> NoReturn:
    """Be the reader until the worker process ends."""
    try:
        kernel.die_with_parent(parent)
        kernel.default_signals()
        kernel.close_descriptors([listening.fileno()])
        kernel.refuse_inspection()  # it holds what tasks read
        kernel.title("tradewind secrets reader")
        reader = _Reader(cls, cached=cached)
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=reader.answer, args=(connection,), daemon=True).start()
    finally:
        os._exit(1)


class _Reader:
    def __init__(self, cls: Any, *, cached: float) -> None:
        self._cls, self._cached = cls, cached
        self._backend: Any = None
        self._making = threading.Lock()
        self._answers: dict[tuple[str, str], tuple[float, Any]] = {}

    def answer(self, connection: socket.socket) -> None:
        """One question. No answer to one that the backend could not answer: the task finds out why."""
        with connection, connection.makefile("rb") as asked:
            try:
                method, name = json.loads(asked.readline())
                value = self._known(method, name)
                connection.sendall(json.dumps({"value": value}).encode())
            except Exception as problem:
                self._backend = None  # its credentials may be old: the next one reads them anew
                log.debug("A secret is left to the task", error=type(problem).__name__)

    def _known(self, method: str, name: str) -> Any:
        """The answer, from memory if it is young enough. What is missing is asked for each time: it may just be put there."""
        now = time.monotonic()
        until, value = self._answers.get((method, name), (0.0, None))
        if now < until:
            return value
        value = self._read(method, name)
        self._answers.pop((method, name), None)
        if value is not None and self._cached:
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            self._answers[method, name] = (now + self._cached, value)
        return value

    def _read(self, method: str, name: str) -> Any:
        if self._backend is None:
            with self._making:  # one client, however many ask at first
                if self._backend is None:
                    backends = configuration.initialize_secrets_backends(DEFAULT_SECRETS_SEARCH_PATH_WORKERS)
                    value = getattr(self._cls, method)(backends[0], name)
                    self._backend = backends[0]
                    return value
        # of the class: the instance's own methods write to the log of a task
        return getattr(self._cls, method)(self._backend, name)
