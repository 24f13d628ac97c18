"""What a task's log says of a connection or variable that the site does not have and whose value on the plane is not read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from tradewind_protocol.hosts import Configure
from tradewind_protocol.sessions import Policy
from tradewind_runtime.airflow.secrets_backends import Failures


def explain_what_is_not_read(configure: Configure, failures: Failures) -> None:
    """Have each look-up that ends at the plane say once, in the task's log, that the plane was not asked and how it can
    be. For the kinds whose policy is strict; in processes forked from here on. Nothing is said of what a backend of the
    site failed to read. Idempotent."""
    from airflow.sdk.execution_time.secrets.execution_api import ExecutionAPISecretsBackend as backend

    for kind, method in (("connection", "get_connection"), ("variable", "get_variable")):
        strict = Policy(configure.options.get(f"{kind}s") or configure.policy) is Policy.STRICT
        found = getattr(backend, method)
        if not strict or hasattr(found, "explains"):
            continue
        said: set[str] = set()
        setattr(backend, method, _explaining(found, kind, said, failures))
        setattr(
            backend, f"a{method}", _explaining_later(getattr(backend, f"a{method}"), kind, said, failures)
        )


def _explaining(
    look_up: Callable[..., Any], kind: str, said: set[str], failures: Failures
) -> Callable[..., Any]:
    def explaining(*args: Any, **kwargs: Any) -> Any:
        if (value := look_up(*args, **kwargs)) is None:
            _say(kind, _name(args, kwargs), said, failures)
        return value

    explaining.explains = True  # type: ignore[attr-defined]
    return explaining


def _explaining_later(
    look_up: Callable[..., Any], kind: str, said: set[str], failures: Failures
) -> Callable[..., Any]:
    async def explaining(*args: Any, **kwargs: Any) -> Any:
        if (value := await look_up(*args, **kwargs)) is None:
            _say(kind, _name(args, kwargs), said, failures)
        return value

    return explaining


def _name(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Airflow calls these methods with the id by position and by name."""
    return str(args[1] if len(args) > 1 else kwargs.get("conn_id", kwargs.get("key", "")))


def _say(kind: str, name: str, said: set[str], failures: Failures) -> None:
    if name in said or failures.found_again(kind, name):
        return
    said.add(name)
    structlog.get_logger(logger_name="task").info(
        f"The {kind} {name!r} is in none of this site's secrets backends and in no environment variable "
        f"AIRFLOW_{'CONN' if kind == 'connection' else 'VAR'}_…. One on the plane is not read: the site's data policy for "
        f"{kind}s is strict. Add it to the site's secrets backend, or set `{kind}s = \"open\"` in the agent's settings"
    )
