"""What user code saw, one line of JSON each, with the types of values: the same on every side or there is a difference."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any


def saw(event: str, /, *, dag: str = "", **facts: Any) -> None:
    """Write down what a task, a trigger or a callback saw. `dag` is needed where there is no task's context."""
    where: dict[str, Any] = {"dag": dag}
    if not dag:
        from airflow.sdk import get_current_context

        ti = get_current_context()["ti"]
        where = {"dag": ti.dag_id, "task": ti.task_id, "map": ti.map_index, "try": ti.try_number}
    write({"event": event, **where, "facts": {name: shape(value) for name, value in facts.items()}})


def called(event: str, context: Mapping[str, Any], **facts: Any) -> None:
    """Write down that a callback was called, with what its context says."""
    ti, run = context.get("ti"), context.get("dag_run")
    said = {
        "keys": sorted(key for key in context if key not in NOT_ALWAYS),
        "run_id": context.get("run_id"),
        "logical_date": getattr(run, "logical_date", None),
        "run_state": str(getattr(run, "state", None)),
        "exception": context.get("exception"),
        "reason": context.get("reason"),
        "params": dict(context.get("params") or {}),
        "ti_state": str(getattr(ti, "state", None)),
        "max_tries": getattr(ti, "max_tries", None),
        **facts,
    }
    write(
        {
            "event": event,
            "dag": context["dag"].dag_id,
            "task": getattr(ti, "task_id", None),
            "map": getattr(ti, "map_index", None),
            "try": getattr(ti, "try_number", None),
            "facts": {name: shape(value) for name, value in said.items()},
        }
    )


NOT_ALWAYS = frozenset({"prev_start_date_success", "prev_end_date_success"})
"""Of a context: what depends on the runs that happen to be there."""


def write(entry: Mapping[str, Any]) -> None:
    """Append a line. One write call: lines of parallel tasks do not mix."""
    line = json.dumps({**entry, "pid": os.getpid()}) + "\n"
    with open(os.environ["SITE_JOURNAL"], "a") as journal:
        journal.write(line)


def shape(value: Any) -> str:
    """A value as text that differs when the value, or the type of any part of it, differs."""
    kind = type(value).__name__
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, BaseException):
        return f"{kind}({', '.join(map(shape, value.args))})"
    if isinstance(value, Mapping):
        pairs = sorted(
            f"{shape(key)}: {shape(each)}" for key, each in value.items()
        )  # PostgreSQL orders keys anew
        return f"{kind}{{{', '.join(pairs)}}}"
    if isinstance(value, set | frozenset):
        return f"{kind}{{{', '.join(sorted(map(shape, value)))}}}"
    if isinstance(value, list | tuple):
        return f"{kind}[{', '.join(map(shape, value))}]" if len(value) < 200 else _digest(kind, repr(value))
    text = str(value) if kind in ("DateTime", "datetime", "Timestamp") else repr(value)
    return f"{kind} {text}" if len(text) < 2000 else _digest(kind, text)


def _digest(kind: str, text: str) -> str:
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{kind} of {len(text)} characters {digest}"
