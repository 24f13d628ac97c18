"""Reading what a dag processor reports: a malformed file is refused alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tradewind_protocol import dags as wire
from tradewind_protocol.errors import Code, Refusal, Refused


@dataclass(frozen=True)
class ParsedReport:
    """A report as it came: its envelope and good files, and what was wrong with the others."""

    report: wire.Report
    refused: tuple[wire.FileRefused, ...]


_ENVELOPE: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def read(body: bytes) -> ParsedReport:
    """Read a report, file by file: a malformed one is refused alone. Raises Refused MALFORMED for anything else."""
    try:
        raw = _ENVELOPE.validate_json(body)
        files = raw.pop("files", [])
        if not isinstance(files, list) or len(files) > wire.FILES_IN_REPORT:
            raise Refused(Code.MALFORMED, f"a report names at most {wire.FILES_IN_REPORT} files, in a list")
        report = wire.Report.model_validate(raw)
    except ValidationError as problem:
        raise Refused(Code.MALFORMED, f"the report cannot be read: {_first(problem)}") from None
    good: list[wire.FileResult] = []
    refused: list[wire.FileRefused] = []
    for file in files:
        try:
            good.append(wire.FileResult.model_validate(file))
        except ValidationError as problem:
            path = str(file.get("path", ""))[:1000] if isinstance(file, dict) else ""
            message = f"the result of file {path[:200]!r} in bundle {report.bundle!r} cannot be read: {_first(problem)}"
            refused.append(file_refused(path, Refusal(error=Code.MALFORMED, message=message)))
    return ParsedReport(report.model_copy(update={"files": tuple(good)}), tuple(refused))


def file_refused(path: str, refusal: Refusal, dag_id: str = "") -> wire.FileRefused:
    return wire.FileRefused(path=path, dag_id=dag_id, refusal=refusal)


def _first(problem: ValidationError) -> str:
    one = problem.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, one['loc']))}: {one['msg']}"[:500]
