"""One log file for each trigger's task, without one open file for each: ten thousand may wait at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import IO

MOST_OPEN = 128


class OpenFiles:
    """The files written to last, open for appending; the others are closed and opened again when needed."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        self._open: OrderedDict[Path, IO[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path) -> IO[bytes]:
        """The file at `path`, open. It is closed when others were used more lately: get it again for each write."""
        with self._lock:
            return self._get(path)

    def append(self, path: Path, line: bytes) -> None:
        """Add one line and hand it to the operating system."""
        with self._lock:
            self._get(path).write(line + b"\n")

    def close(self, path: Path) -> None:
        """Idempotent."""
        with self._lock:
            if (file := self._open.pop(path, None)) is not None:
                file.close()

    def _get(self, path: Path) -> IO[bytes]:
        file = self._open.pop(path, None)
        if file is None:
            file = path.open("ab", buffering=0)
        self._open[path] = file
        while len(self._open) > self._most:
            self._open.popitem(last=False)[1].close()
        return file


class FileLogger:
    """What structlog writes a rendered line to: `structlog.BytesLogger` over `OpenFiles`."""

    def __init__(self, path: Path, files: OpenFiles) -> None:
        self._path = path
        self._files = files

    @property
    def _file(self) -> IO[bytes]:  # where Airflow's upload to remote logs looks for the name
        return self._files.get(self._path)

    def msg(self, message: bytes) -> None:
        self._files.append(self._path, message)

    log = debug = info = warning = warn = error = err = critical = fatal = failure = exception = msg
