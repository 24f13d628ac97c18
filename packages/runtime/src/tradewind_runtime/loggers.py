"""Loggers of structlog's that a forking process has used."""

from __future__ import annotations

import gc


def release() -> None:
    """Have every logger that was used in this process look up its output anew. Call it before each series of forks.

    structlog's loggers keep the output that they wrote to first. One that wrote a line here would go on writing to this
    process's output in every process forked from this one, and its lines would be missing from the logs of tasks.
    """
    from structlog._config import BoundLoggerLazyProxy

    for each in gc.get_objects():
        if type(each) is BoundLoggerLazyProxy:
            vars(each).pop("bind", None)
