"""Prometheus' text format, version 0.0.4: how each component writes its metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values of the labels, and the value."""
Snapshot = TypeVar("Snapshot")


@dataclass(frozen=True)
class MetricDefinition(Generic[Snapshot]):
    """One metric, and its samples of a component at one moment."""

    name: str
    help: str
    labels: tuple[str, ...]
    of: Callable[[Snapshot], Samples]
    kind: str = "gauge"  # or "counter"


def text(metrics: Iterable[MetricDefinition[Snapshot]], snapshot: Snapshot) -> str:
    """All of them. Raises ValueError unless each label of a sample has a value."""
    lines = []
    for one in metrics:
        lines += head(one.name, one.kind, one.help)
        lines += [sample(one.name, one.labels, values, value) for values, value in one.of(snapshot)]
    return "\n".join(lines) + "\n"


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
