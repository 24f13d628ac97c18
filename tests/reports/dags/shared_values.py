"""Classes of values that Dags share: Airflow reads them back by their name."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs


class Column:
    """Compares element by element, as arrays and data frames do: its truth is ambiguous."""

    __version__: ClassVar[int] = 1

    def __init__(self, cells: list[Any]) -> None:
        self.cells = list(cells)

    def __eq__(self, other: object) -> Any:
        return Column([each == other for each in self.cells])

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("The truth value of a Column is ambiguous")

    def __len__(self) -> int:
        return len(self.cells)

    def __repr__(self) -> str:
        return f"Column({self.cells!r})"

    def serialize(self) -> dict[str, Any]:
        return {"cells": self.cells}

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> Column:
        return Column(data["cells"])


@attrs.define
class Order:
    """An attrs class."""

    number: int
    parts: list[str]
