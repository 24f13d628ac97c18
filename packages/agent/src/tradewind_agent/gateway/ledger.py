"""What left the site: one line for every request, never its content."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import unquote

import structlog

from tradewind_agent.kits import files
from tradewind_protocol import boundary, paths
from tradewind_protocol.hosts import TRACES_PATH

log = structlog.get_logger(__name__)

CURRENT = "ledger.jsonl"
WORK = "/work"
"""Path of the lines about work that the plane had run here."""


@dataclass(frozen=True)
class Cause:
    """Why a request is made: its principal, its route, and the decision of the data boundary."""

    principal: str  # "agent", "dag_processor", or an attempt's label
    route: str  # path with the names of its parameters, never their values
    decision: str = "passed"  # "passed", "changed", "answered", "refused", "accepted"
    what: str = ""  # what was changed, why it was refused
    carries: tuple[str, ...] = ()  # classes of content, and fields, with what an author wrote
    work: Mapping[str, str] | None = (
        None  # of work that runs here: its names, for `tradewind-agent rules try`
    )


class SentRequest(Protocol):
    """One request as the plane client reports it."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def request_bytes(self) -> int: ...
    @property
    def status(self) -> int: ...
    @property
    def duration(self) -> float: ...
    @property
    def carries(self) -> tuple[str, ...]: ...


_cause: ContextVar[Cause | None] = ContextVar("tradewind_ledger_cause", default=None)


class Ledger:
    """An append-only file of JSON lines in `directory`, rotated by size; the oldest files go when there are too many.

    A line is written before the caller goes on. A disk that refuses does not stop the work (a task would die for want
    of a heartbeat): it is logged, and `problem` says so for the agent's own checks.
    """

    def __init__(
        self,
        directory: Path,
        *,
        now: Callable[[], float],
        plane: str = "",
        largest: int = 10 * 1024 * 1024,
        files: int = 50,
    ) -> None:
        self._directory = directory
        self._plane = plane  # its address, which is where things leave to
        self._now = now
        self._largest = largest
        self._files = files
        self._fd = -1
        self._size = 0
        self.problem = ""

    def __enter__(self) -> Ledger:
        files.make_private(self._directory)
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # ---- writing

    @contextmanager
    def because(self, cause: Cause) -> Iterator[None]:
        """Requests made inside are written down with this cause."""
        token = _cause.set(cause)
        try:
            yield
        finally:
            _cause.reset(token)

    def sent(self, sent: SentRequest) -> None:
        """Write down one request that left: the plane client's `on_sent`."""
        cause = _cause.get() or Cause("agent", _route(sent.method, sent.path))
        if sent.carries:
            cause = replace(cause, carries=(*cause.carries, *sent.carries))
        self._write(cause, sent.method, sent.request_bytes, sent.status, sent.duration, to=self._plane)

    def traces(self, to: str, size: int, status: int, duration: float) -> None:
        """Write down spans that were sent to the site's own collector."""
        self._write(Cause("traces", TRACES_PATH), "POST", size, status, duration, to=to)

    def stayed(self, cause: Cause, *, method: str, size: int, status: int) -> None:
        """Write down one request that did not leave, because it was refused or answered at the site."""
        self._write(cause, method, size, status, 0.0, to=None)

    def work(self, principal: str, facts: Mapping[str, str], refused: str) -> None:
        """Write down that work was let run here, or why a rule of the owner refused it. `facts` is what is known of it."""
        decision = "refused" if refused else "accepted"
        self._write(
            Cause(principal, WORK, decision, refused, work=facts),
            "RUN",
            0,
            403 if refused else 200,
            0.0,
            to=None,
        )

    def command(self, asked_by: str, verb: str, refused: str) -> None:
        """Write down that a rule of the owner refused a command of the plane."""
        self._write(
            Cause(asked_by or "plane", f"/commands/{verb}", "refused", refused), "RUN", 0, 403, 0.0, to=None
        )

    def _write(
        self, cause: Cause, method: str, size: int, status: int, duration: float, *, to: str | None
    ) -> None:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(self._now(), timezone.utc).isoformat(timespec="milliseconds"),
            "principal": cause.principal,
            "method": method,
            "path": cause.route,
            "bytes": size,
            "left": to is not None,
            "decision": cause.decision,
        }
        if to:
            line["to"] = to
        if cause.what:
            line["what"] = cause.what
        if cause.carries:
            line["carries"] = list(cause.carries)
        if cause.work:
            line["work"] = dict(cause.work)
        line["status"] = status
        line["duration"] = round(duration, 4)
        data = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            if self._size + len(data) > self._largest:
                self._rotate()
            os.write(self._fd, data)
            self._size += len(data)
            self.problem = ""
        except OSError as error:
            if not self.problem:
                log.error("The ledger cannot be written", action="ledger_broken", reason=str(error))
            self.problem = f"the ledger in {self._directory} cannot be written: {error.strerror or error}"

    def _open(self) -> None:
        self._fd = os.open(
            self._directory / CURRENT, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        newest = self._old()[-1:]
        number = int(newest[0].stem.rpartition("-")[2]) + 1 if newest else 1
        os.rename(self._directory / CURRENT, self._directory / f"ledger-{number:08d}.jsonl")
        full = self._fd
        self._open()
        os.close(full)
        for path in self._old()[: -self._files]:
            path.unlink(missing_ok=True)

    def _old(self) -> list[Path]:
        return sorted(self._directory.glob("ledger-*.jsonl"))

    # ---- reading

    def read(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[dict[str, Any]]:
        """Every line, oldest first, from `since` to before `until`. May be asked while lines are written, also by another process
        (no need to enter the ledger); a line that was cut off by a power cut is left out."""
        for path in [*self._old(), self._directory / CURRENT]:
            # Gone when the ledger was rotated meanwhile.
            with suppress(FileNotFoundError), path.open(encoding="utf-8", errors="replace") as file:
                for line in map(_parsed, file):
                    if line is None:
                        continue
                    at = datetime.fromisoformat(line["at"])
                    if (since is None or at >= since) and (until is None or at < until):
                        yield line


def _route(method: str, path: str) -> str:
    """A path as it may be written down: of Airflow's routes the template, since theirs name Dags and keys."""
    if not path.startswith(paths.EXECUTION + "/"):
        return path
    found = boundary.classify(method, unquote(path.removeprefix(paths.EXECUTION)))
    return paths.EXECUTION + (found.route.template if found else "/(unknown)")


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "at" in line else None
