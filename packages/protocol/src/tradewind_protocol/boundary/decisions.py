"""What the boundary says about one request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tradewind_protocol.errors import STATUS, Code


@dataclass(frozen=True)
class Pass:
    """The request goes on as it is. `carries` names the fields with values a Dag author chose, for the ledger."""

    carries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """The request goes on with another body. `carries` is as for `Pass`."""

    body: bytes
    what: str
    carries: tuple[str, ...] = ()


@dataclass(frozen=True)
class LocalAnswer:
    """The request goes no further: the caller is answered here, in Airflow's own form."""

    status: int
    body: bytes
    why: str


@dataclass(frozen=True)
class Rejection:
    """The request goes no further, and the caller is told why."""

    code: Code
    message: str
    remedy: str = ""

    @property
    def status(self) -> int:
        return STATUS[self.code]

    @property
    def body(self) -> bytes:
        """A `Refusal` that Airflow's Task SDK reads as well: the SDK shows a task what is under `detail`."""
        said: dict[str, Any] = {"error": self.code.value, "message": self.message, "remedy": self.remedy}
        detail = {"reason": self.code.value, "message": self.message}
        if self.remedy:
            detail["remedy"] = self.remedy
        return json.dumps({**said, "detail": detail}).encode()


Decision = Pass | Change | LocalAnswer | Rejection
