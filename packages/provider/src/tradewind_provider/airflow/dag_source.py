"""What the UI shows as a Dag's source. Airflow would open the Dag's `fileloc` on the plane's own disk, a path an agent
named: while a file of an agent is stored, it is given the text the site sent, or a notice, and opens nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from airflow.models.dagcode import DagCode
from airflow.models.errors import ParseImportError

from tradewind_protocol import dags as wire

_given: ContextVar[Mapping[str, str] | None] = ContextVar("tradewind_dag_source", default=None)
_notice: ContextVar[str] = ContextVar("tradewind_dag_source_notice", default="")
_INSTALLED = "_tradewind_airflows_own"


def notice(agent_name: str) -> str:
    """What is shown in place of source that was not sent."""
    return (
        f"# The source of this Dag stays at its site: agent {agent_name!r} does not send it.\n"
        "# The owner of the agent can change that with `source = open`, or `policy = open`, in its settings, where the\n"
        "# plane allows it ([tradewind] policy).\n"
    )


@contextmanager
def given(source: Mapping[str, str], *, otherwise: str) -> Iterator[None]:
    """While entered, in this thread: source is taken from `source` (by fileloc), else it is `otherwise`; no file is
    opened."""
    install()
    text = _given.set(source)
    words = _notice.set(otherwise)
    try:
        yield
    finally:
        _given.reset(text)
        _notice.reset(words)


def install() -> None:
    """Put our reading in front of Airflow's. Outside `given` nothing changes. Idempotent."""
    if hasattr(DagCode, _INSTALLED):
        return
    airflows_own = DagCode.get_code_from_file
    setattr(DagCode, _INSTALLED, staticmethod(airflows_own))

    def get_code_from_file(fileloc: Any) -> str:
        source = _given.get()
        if source is None:
            return str(airflows_own(fileloc))
        return source.get(str(fileloc)) or _notice.get()

    DagCode.get_code_from_file = staticmethod(get_code_from_file)
    airflows_path = ParseImportError.full_file_path

    def full_file_path(error: ParseImportError) -> str:
        # What listeners of import errors are told: Airflow's looks the bundle up in the plane's own configuration.
        return (
            wire.neutral_fileloc(error.bundle_name or "", error.filename or "")
            if _given.get() is not None
            else str(airflows_path(error))
        )

    ParseImportError.full_file_path = full_file_path
