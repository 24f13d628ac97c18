"""What the data boundary refused is final: a task that fails of it is not retried, and its log says so in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time import task_runner

from tradewind_protocol.errors import Code

_FINAL: Final = frozenset(
    {Code.POLICY_REFUSED.value, Code.MALFORMED.value, Code.TOO_LARGE.value, Code.NOT_PERMITTED.value}
)
"""The same request again is refused again."""


def make_final() -> None:
    """Have tasks of processes forked from here on fail without a retry when the exception they fail with is such a
    refusal. One that they caught changes nothing. Idempotent. Raises AttributeError when Airflow decides elsewhere."""
    handle = task_runner._handle_current_task_failed
    if hasattr(handle, "refusals_are_final"):
        return

    def handling(ti: Any, exception: BaseException, log: Any, *args: Any, **kwargs: Any) -> Any:
        if not (said := refusal(exception)):
            return handle(ti, exception, log, *args, **kwargs)
        log.error(f"{said} The task is not retried: it would be refused again")
        if (context := ti._ti_context_from_server) is not None:
            context.should_retry = False
        return task_runner._finalize_task_failure(ti)

    handling.refusals_are_final = True  # type: ignore[attr-defined]
    task_runner._handle_current_task_failed = handling


def refusal(exception: BaseException) -> str:
    """What was refused and what to do, when that is why; else empty."""
    if not isinstance(exception, AirflowRuntimeError) or not isinstance(exception.error.detail, Mapping):
        return ""
    detail = exception.error.detail.get("detail")
    if not isinstance(detail, Mapping) or detail.get("error") not in _FINAL:
        return ""
    message, remedy = str(detail.get("message", "")), str(detail.get("remedy", ""))
    return f"Refused: {message}." + (f" To do: {remedy}." if remedy else "")
