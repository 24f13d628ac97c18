"""The logging of a task's process, set up once, before the fork.

Airflow sets it up in each task's process: it looks at every logger there is, some hundreds, and a forked process copies
each page of memory that it looks at. What comes of it is always the same but for the pipe that the lines go into. So it is
done here by Airflow's own function, put aside, and taken up after the fork.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from tradewind_runtime.accelerators import import_effects

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


class PreparedLogging:
    name = "prepared_logging"

    def __init__(self) -> None:
        self._installed = False

    def applies(self) -> str | None:
        from airflow.configuration import conf
        from airflow.sdk.execution_time import supervisor

        if not hasattr(supervisor, "_configure_logs_over_json_channel"):
            return "this Airflow sets up the logging of tasks elsewhere"
        if own := conf.get("logging", "logging_config_class", fallback=""):
            return f"[logging] logging_config_class names {own}, which is the owner's code"
        if conf.getboolean("logging", "remote_logging", fallback=False):
            return import_effects.reason_not_to_share(_load_remote_logs)
        return None

    def install(self) -> None:
        self._installed = True
        self.renew()

    def renew(self) -> None:
        """Set it up anew, where it is installed: libraries that were imported since bring loggers."""
        from airflow.sdk.execution_time import supervisor

        if not self._installed:
            return
        prepared, channel = _prepared()

        def over(log_fd: int) -> None:
            channel.fd = log_fd
            prepared.take_up()

        supervisor._configure_logs_over_json_channel = over


def _load_remote_logs() -> str | None:
    """Make the handler of remote logs, as each task would. Why tasks must not inherit it, when they must not."""
    from airflow.sdk import log

    handler = log.load_remote_log_handler()
    if handler is None:
        return "Airflow finds no handler for the remote logs"
    if handler.processors:
        return f"{type(handler).__name__} takes each line for itself, in each process"
    if "hook" in vars(handler):
        return f"{type(handler).__name__} connects as it is made"
    return None


def _prepared() -> tuple[_Logging, _Channel]:
    from airflow.sdk.log import configure_logging, reset_logging

    before, channel = _Logging.now(), _Channel()
    try:
        reset_logging()
        configure_logging(json_output=True, output=channel, sending_to_supervisor=True)
        return _Logging.now(), channel
    finally:
        before.take_up()
