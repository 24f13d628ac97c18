"""The storage that a site's task logs go to: what its owner sets for any Airflow (`[logging] remote_logging`).

Airflow uploads a log when its task ends, empties the file once the storage has it, and gives up when it does not answer. Here
a log that the storage did not take is kept in a folder of its own and uploaded later.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit

from airflow.sdk.configuration import conf

from tradewind_protocol.hosts import Configure, LogStorage

log = logging.getLogger(__name__)

_EMPTYING: Final = ("s3", "gs", "wasb")
_FOLDER: Final = "AIRFLOW__LOGGING__BASE_LOG_FOLDER"
_DEFAULT: Final = "airflow.config_templates.airflow_local_settings.DEFAULT_LOGGING_CONFIG"


class LogStorageFailed(RuntimeError):
    """The storage refuses, or does not answer."""


def where() -> str:
    """The address of the storage, or the name of the owner's class that knows it; empty where logs stay on the disk."""
    own = conf.get("logging", "logging_config_class", fallback="") or ""
    if own and own != _DEFAULT:
        return own
    if not conf.getboolean("logging", "remote_logging", fallback=False):
        return ""
    url = conf.get("logging", "remote_base_log_folder", fallback="") or ""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    return url.replace(user + at, "", 1) if at else url


def empties() -> bool:
    """Whether Airflow empties a file that the storage has taken: only then what is left of a file tells that it has not."""
    return urlsplit(where()).scheme in _EMPTYING


def of_this_process() -> LogStorage:
    """What the agent is told of where logs go."""
    return LogStorage(url=where()[:2000], retried=empties())


def keep_failed_uploads(configure: Configure) -> None:
    """From now on a log whose upload fails, in this process or one that it forks, says so in a line of its own and goes to the
    folder of logs that wait."""
    from airflow.sdk import log as airflow_log

    if not configure.options.get("waiting_logs") or not empties():
        return
    waiting = Path(str(configure.options["waiting_logs"]))
    upload = airflow_log.upload_to_remote

    def uploading(logger: Any, ti: Any = None) -> None:
        path = None
        with suppress(ValueError):  # not below the log folder
            path = airflow_log.relative_path_from_logger(logger._logger)
        if path is None:
            upload(logger, ti)
        else:
            _upload_or_keep(logger, path, waiting, lambda: upload(logger, ti))

    airflow_log.upload_to_remote = uploading


@contextmanager
def below(folder: Path) -> Iterator[Any]:
    """Airflow's handler of the storage, with logs in another folder meanwhile. Raises LogStorageFailed."""
    handler, before = _handler(), os.environ.get(_FOLDER)
    os.environ[_FOLDER] = str(folder)
    try:
        yield handler
    finally:
        os.environ.pop(_FOLDER)
        if before is not None:
            os.environ[_FOLDER] = before


def hand_over_while_running(configure: Configure) -> None:
    """From now on supervisors that are forked hand what a running task has logged to the agent, which uploads it, each time so
    many seconds have passed. The storage is nothing that a task's requests wait for."""
    from airflow.sdk.execution_time import supervisor

    every = float(configure.options.get("upload_logs_every") or 0)
    if not every or not configure.options.get("waiting_logs") or not empties():
        return
    waiting = Path(str(configure.options["waiting_logs"]))
    beat = supervisor.ActivitySubprocess._send_heartbeat_if_needed
    last: dict[Any, float] = {}  # of the attempt that this process supervises

    def beating(self: Any) -> None:
        beat(self)
        now = time.monotonic()
        if self.id not in last:
            last.clear()
        if now - last.setdefault(self.id, now) >= every:
            last[self.id] = now
            try:
                hand_over(self.process_log, waiting)
            except OSError as error:
                log.warning("The log of a running task was not passed to the agent: %s", error)

    supervisor.ActivitySubprocess._send_heartbeat_if_needed = beating


def hand_over(logger: Any, waiting: Path) -> None:
    """Move what a logger has written to the logs that wait; it goes on in a new file. Raises OSError."""
    from airflow.sdk import log as airflow_log

    path = None
    with suppress(ValueError):  # not below the log folder
        path = airflow_log.relative_path_from_logger(logger._logger)
    if path is None:
        return
    file = logger._logger._file
    file.flush()
    if os.fstat(file.fileno()).st_size == 0:
        return
    _keep(path, waiting)
    fresh = os.open(airflow_log.init_log_file(str(path)), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        os.dup2(fresh, file.fileno(), inheritable=False)
    finally:
        os.close(fresh)


def upload_line(logger: Any) -> str:
    """Upload what a logger has written, and keep nothing of it. Why the storage did not take it; empty when it did, and where there
    is no storage."""
    from airflow.sdk import log as airflow_log

    if not where():
        return ""
    path = airflow_log.relative_path_from_logger(logger._logger)
    if path is None:
        return ""
    handler = _handler()
    with _overheard(handler) as said:
        handler.upload(path.as_posix(), None)
    if said:
        return said[0]
    return _problem(_folder() / path, said) if empties() else ""


def upload(part: Path) -> str:
    """Upload one log that waits: a folder of its own below Airflow's log folder, then the log's path. Why the storage did not
    take it, empty when it did."""
    handler, folder = _handler(), _folder() / part.parts[0]
    path = part.relative_to(part.parts[0])
    handler.base_log_folder = folder
    with _overheard(handler) as said:
        try:
            handler.upload(str(path), None)
        except Exception as error:
            said.append(_words(error))
    return _problem(folder / path, said)


def read(path: Path, into: Path) -> list[str]:
    """Write what the storage has of a task's log into files `0`, `1` … of a folder; where each came from. Raises
    LogStorageFailed."""
    handler = _handler()
    asked = SimpleNamespace(start_date=None, end_date=None)
    with _overheard(handler, warnings=False) as said:
        try:
            if stream := getattr(handler, "stream", None):
                names, parts = stream(str(path), asked)
            else:
                names, parts = handler.read(str(path), asked)
            parts = list(parts or ())
            for number, part in enumerate(parts):
                with (into / str(number)).open("w", encoding="utf-8") as file:
                    for line in part.splitlines() if isinstance(part, str) else part:
                        if line.strip() or not _puts_blank_lines_between_parts():
                            file.write(line if line.endswith("\n") else line + "\n")
        except Exception as error:
            said.append(_words(error))
    if said:
        raise LogStorageFailed(f"{where()} does not give the log: {said[0]}")
    return [str(names[n]) if len(names) == len(parts) else f"{where()}/{path}" for n in range(len(parts))]


def _puts_blank_lines_between_parts() -> bool:
    """Whether Airflow's handler writes an empty line before each part but the first: Google's does."""
    return urlsplit(where()).scheme == "gs"


def _keep(path: Path, waiting: Path) -> None:
    """Move a log to a folder of its own among those that wait: an upload of one part never meets the next."""
    target = waiting / f"{time.time_ns()}-{os.getpid()}" / path
    with suppress(FileNotFoundError):  # the task has written no log
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(_folder() / path, target)


def _waits(path: Path, waiting: Path) -> bool:
    """Whether an earlier part of a log has not been uploaded yet."""
    with suppress(FileNotFoundError):  # no log waits, so that there is no folder
        return any((part / path).exists() for part in waiting.iterdir())
    return False


def _upload_or_keep(logger: Any, path: Path, waiting: Path, do: Any) -> None:
    if _waits(path, waiting):  # the storage appends: one part after the other
        _keep(path, waiting)
        return
    try:
        with _overheard(_handler()) as said:
            do()
    except Exception as error:
        said = [_words(error)]
    if problem := _problem(_folder() / path, said):
        logger.warning(f"The log is not in {where()} yet, and the agent uploads it later: {problem}")
        _keep(path, waiting)


def _problem(file: Path, said: list[str]) -> str:
    with suppress(FileNotFoundError):
        if file.stat().st_size:
            return said[0] if said else "the storage did not take it"
    return ""


def _handler() -> Any:
    from airflow.sdk.log import load_remote_log_handler

    handler = load_remote_log_handler()
    if handler is None:
        raise LogStorageFailed(
            f"Airflow has no handler for the task logs in {where()}: install the provider of its scheme"
        )
    return handler


def _folder() -> Path:
    return Path(os.path.expanduser(conf.get("logging", "base_log_folder")))


@contextmanager
def _overheard(handler: Any, *, warnings: bool = True) -> Iterator[list[str]]:
    """What the handler logs in place of raising it. It is logged, too."""
    said: list[str] = []
    if not hasattr(handler, "log"):
        yield said
        return
    before = handler.log
    handler._log = _Listener(before, said, warnings)
    try:
        yield said
    finally:
        handler._log = before


class _Listener:
    """A logger that notes what is a failure."""

    def __init__(self, log: Any, said: list[str], warnings: bool) -> None:
        self._log, self._said, self._warnings = log, said, warnings

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def error(self, message: str, *args: Any, **more: Any) -> None:
        self._note(message, args)
        self._log.error(message, *args, **more)

    def warning(self, message: str, *args: Any, **more: Any) -> None:
        """Google's handler warns when it does not upload. Others warn before they try once more, and succeed."""
        if self._warnings and not self._said:
            self._note(message, args)
        self._log.warning(message, *args, **more)

    def exception(self, message: str, *args: Any, **more: Any) -> None:
        self._note(message, args)
        self._log.error(message, *args, **more)  # the traceback is of the provider's libraries

    def _note(self, message: str, args: tuple[Any, ...]) -> None:
        error = sys.exc_info()[1]
        with suppress(Exception):  # a library's line that does not fit its arguments is told as it is
            message = str(message) % args if args else str(message)
        self._said.append(f"{message}: {_words(error)}" if error is not None else message)


def _words(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:400]}" if text else type(error).__name__
