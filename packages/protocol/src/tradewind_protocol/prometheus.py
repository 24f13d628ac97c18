"""Prometheus' text format, version 0.0.4: how each component writes its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def sample(name: str, labels: Sequence[str], values: Sequence[str], value: float) -> str:
    """The line of one value. Raises ValueError unless each label has a value."""
    # repr: a moment has more digits than %g keeps
    return f"{series(name, labels, values)} {value if value % 1 else int(value)!r}"


def series(name: str, labels: Sequence[str], values: Sequence[str]) -> str:
    """A metric with its labels, as a line begins. Raises ValueError unless each label has a value."""
    pairs = ",".join(f'{label}="{_escaped(each)}"' for label, each in zip(labels, values, strict=True))
    return f"{name}{{{pairs}}}" if pairs else name


def head(name: str, kind: str, words: str) -> list[str]:
    """The lines before the values of a metric. `kind`: gauge, counter or histogram."""
    return [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
