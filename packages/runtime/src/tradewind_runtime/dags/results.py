"""What one parse of one file gave, as the plane gets it: neutral, hashed, and no larger than may travel."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from tradewind_protocol import dags


@dataclass(frozen=True)
class ParsedDag:
    """One serialized Dag and Airflow's own hash of it, which is blind to where the file lies and to the order of sets."""

    data: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class Sized:
    """A result and the bytes of JSON it makes."""

    result: dags.FileResult
    size: int


def build(
    *,
    bundle: str,
    path: str,
    parsed: Sequence[ParsedDag],
    import_errors: Mapping[str, str],
    warnings: Sequence[Mapping[str, Any]] = (),
    seconds: float = 0.0,
    source: Mapping[str, str] | None = None,
    key: bytes = b"",
) -> Sized:
    """The result of one file, its hash under `key`. What is too large to travel becomes an import error that says so; nothing raises."""
    errors = dict(import_errors)
    kept: list[ParsedDag] = []
    for one in parsed:
        size = _size(one.data)
        if size > dags.LARGEST_DAG:
            errors[path] = _joined(
                errors.get(path), _too_large(f"Dag {_dag_id(one.data)!r}", size, dags.LARGEST_DAG)
            )
        else:
            kept.append(_neutral(bundle, path, one))
    sized = _result(path, kept, errors, warnings, seconds, source, key)
    if sized.size > dags.LARGEST_FILE and source is not None:
        sized = _result(path, kept, errors, warnings, seconds, None, key)
    if sized.size > dags.LARGEST_FILE:
        errors[path] = _joined(
            errors.get(path), _too_large(f"the {len(kept)} Dags of this file", sized.size, dags.LARGEST_FILE)
        )
        sized = _result(path, [], errors, (), seconds, None, key)
    return sized


def _result(
    path: str,
    parsed: Sequence[ParsedDag],
    errors: Mapping[str, str],
    warnings: Sequence[Mapping[str, Any]],
    seconds: float,
    source: Mapping[str, str] | None,
    key: bytes,
) -> Sized:
    result = dags.FileResult(
        path=path,
        content=_content(parsed, errors, warnings, source, key),
        dags=tuple(one.data for one in parsed),
        import_errors={name: text for name, text in errors.items() if _is_path(name)},
        warnings=tuple(dags.DagWarning.model_validate(one) for one in warnings),
        seconds=round(seconds, 3),
        source=dict(source) if source is not None else None,
    )
    return Sized(result, len(result.model_dump_json()))


def _content(
    parsed: Sequence[ParsedDag],
    errors: Mapping[str, str],
    warnings: Sequence[Mapping[str, Any]],
    source: Mapping[str, str] | None,
    key: bytes,
) -> str:
    facts = {
        "dags": sorted((_dag_id(one.data), one.data["dag"].get("fileloc"), one.hash) for one in parsed),
        "errors": dict(errors),
        "warnings": sorted(json.dumps(dict(one), sort_keys=True, default=str) for one in warnings),
        "source": dict(source) if source is not None else None,
    }
    return hmac.new(key, json.dumps(facts, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def _neutral(bundle: str, path: str, one: ParsedDag) -> ParsedDag:
    inside = one.data["dag"].get("relative_fileloc") or path
    dag = {**one.data["dag"], "fileloc": dags.neutral_fileloc(bundle, inside), "relative_fileloc": inside}
    return ParsedDag({**one.data, "dag": dag}, one.hash)


def _dag_id(data: Mapping[str, Any]) -> str:
    return str(data.get("dag", {}).get("dag_id", ""))


def _size(data: Mapping[str, Any]) -> int:
    return len(json.dumps(data, separators=(",", ":")))


def _too_large(what: str, size: int, limit: int) -> str:
    return (
        f"{what} take {size / 2**20:.1f} MiB as JSON; at most {limit // 2**20} MiB may be sent to the plane. "
        "Split the file, or keep large values out of the Dag"
    )


def _joined(first: str | None, second: str) -> str:
    return f"{first}\n\n{second}" if first else second


def _is_path(name: str) -> bool:
    try:
        dags.checked_path(name)
    except ValueError:
        return False
    return True


def without_site(text: str, *, bundle: str, bundle_path: str) -> str:
    """`text` with the bundle's place on the site's disk replaced by its name."""
    place = str(PurePosixPath(bundle_path))
    return text if place in ("", ".", "/") else text.replace(place, f"/{bundle}")
