"""The line of log that a canary writes: with Airflow's own functions, in the folder and the storage of the logs of tasks."""

from __future__ import annotations

import hashlib
import re
import threading
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradewind_runtime.airflow import log_storage

if TYPE_CHECKING:
    from airflow.sdk.api.client import Client

FOLDER: Final = "tradewind-canary"
"""Below the log folder. A file is there for as long as its canary takes; the storage of logs has one for each queue and day."""


ANSWERS_WITHIN: Final = 5.0
"""Seconds that the storage of logs has for the line."""


def write_line(queue: str, mark: str, client: Client) -> str:
    """Write a line with `mark` in it, read it again, and upload it where task logs are uploaded. Returns why that failed; empty
    when it did not. Leaves no file behind. Where the storage has not answered, a thread of this process goes on to wait for it."""
    from airflow.sdk.execution_time import supervisor

    try:
        logger, descriptor = supervisor._configure_logging(str(path_of(queue)), client)
        file = Path(str(descriptor.name))
        try:
            with descriptor:
                logger.info("A canary of Tradewind writes this line", queue=queue, canary=mark)
                descriptor.flush()
                if mark.encode() not in file.read_bytes():
                    return "the line that was written to a log is not in its file"
                return _uploaded(logger, client)
        finally:
            with suppress(OSError):  # it says so in what it returned, where the disk is broken
                file.unlink(missing_ok=True)
    except OSError as error:
        return f"a log cannot be written: {error.strerror or type(error).__name__}"


def path_of(queue: str) -> Path:
    """Where the line goes, below the log folder, today."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", queue)[:80]
    digest = hashlib.sha256(queue.encode()).hexdigest()[:8]
    return Path(FOLDER) / f"{plain}-{digest}-{datetime.now(timezone.utc):%Y-%m-%d}.log"


def _uploaded(logger: Any, client: Client) -> str:
    """In a thread, because a client of a storage waits for minutes where nothing answers."""
    answers: list[str] = []
    upload = threading.Thread(
        target=lambda: answers.append(_upload(logger, client)), name="canary upload", daemon=True
    )
    upload.start()
    upload.join(ANSWERS_WITHIN)
    if not answers:
        return f"the storage of task logs has not answered within {ANSWERS_WITHIN:.0f} s"
    return answers[0]


def _upload(logger: Any, client: Client) -> str:
    from airflow.sdk.execution_time import supervisor

    try:
        with supervisor._remote_logging_conn(client):
            problem = log_storage.upload_line(logger)
    except Exception as error:  # whatever a provider's library raises
        problem = f"{type(error).__name__}: {error}"[:400]
    return f"the storage of task logs does not take a log: {problem}" if problem else ""
