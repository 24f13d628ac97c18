"""The logging of a task's process, set up once, before the fork.

Airflow sets it up in each task's process: it looks at every logger there is, some hundreds, and a forked process copies
each page of memory that it looks at. What comes of it is always the same but for the pipe that the lines go into. So it is
done here by Airflow's own function, put aside, and taken up after the fork.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer


class _Channel(io.RawIOBase):
    """Where the lines go: nowhere, until it is known where."""

    fd: int | None = None

    @property
    def name(self) -> int | None:
        return self.fd

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self.fd is None:
            raise io.UnsupportedOperation("fileno")
        return self.fd

    def write(self, line: ReadableBuffer, /) -> int:
        return len(memoryview(line)) if self.fd is None else os.write(self.fd, line)


class _Logging(NamedTuple):
    """Everything in which the logging of one process differs from that of another it was forked from."""

    handlers: list[logging.Handler]
    level: int
    structured: dict[str, Any]
    excepthook: Callable[..., Any]
    showwarning: Callable[..., Any]
    warned: Any

    @classmethod
    def now(cls) -> _Logging:
        import structlog
        from airflow.sdk._shared.logging.structlog import _WarningsInterceptor

        return cls(
            handlers=list(logging.root.handlers),
            level=logging.root.level,
            structured=structlog.get_config(),
            excepthook=sys.excepthook,
            showwarning=warnings.showwarning,
            warned=_WarningsInterceptor._original_showwarning,
        )

    def take_up(self) -> None:
        import structlog
        from airflow.sdk._shared.logging.structlog import _WarningsInterceptor

        logging.root.handlers[:] = self.handlers
        if logging.root.level != self.level:  # setting it makes every logger forget what is switched on
            logging.root.setLevel(self.level)
        structlog.configure(**self.structured)
        sys.excepthook, warnings.showwarning = self.excepthook, self.showwarning
        _WarningsInterceptor._original_showwarning = self.warned


def prepare() -> None:
    """Set up the logging of the tasks of processes forked from this one, whose own stays as it is. Call it again after
    more was imported: libraries bring loggers. Where the site has a logging configuration or a remote log of its own,
    which is its owner's code, or where a later Airflow names things differently, each task goes on doing it for itself.
    """
    from airflow.configuration import conf
    from airflow.sdk.execution_time import supervisor

    release_loggers()
    if conf.get("logging", "logging_config_class", fallback="") or conf.getboolean(
        "logging", "remote_logging", fallback=False
    ):
        return
    configure = getattr(supervisor, "_configure_logs_over_json_channel", None)
    with suppress(Exception):
        prepared, channel = _prepared()
        if configure is None:
            return

        def over(log_fd: int) -> None:
            channel.fd = log_fd
            prepared.take_up()

        supervisor._configure_logs_over_json_channel = over


def release_loggers() -> None:
    """Have every logger of structlog's that was used in this process ask anew what it writes to. Call it before the fork.

    Such a logger keeps what it wrote to first. One that wrote a line here would go on writing to this process's output in
    every process forked from this one, and its lines would be missing from the logs of tasks.
    """
    from structlog._config import BoundLoggerLazyProxy

    for each in gc.get_objects():
        if type(each) is BoundLoggerLazyProxy:
            vars(each).pop("bind", None)


def _prepared() -> tuple[_Logging, _Channel]:
    from airflow.sdk.log import configure_logging, reset_logging

    before, channel = _Logging.now(), _Channel()
    try:
        reset_logging()
        configure_logging(json_output=True, output=channel, sending_to_supervisor=True)
        return _Logging.now(), channel
    finally:
        before.take_up()
