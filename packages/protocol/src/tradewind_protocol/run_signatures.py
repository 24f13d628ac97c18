"""What a person signs who starts a run: that run of that Dag in that Deployment, with these parameters, at that time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

KEY: Final = "tradewind_signature"
"""The key of a run's parameters (`conf`) that has the signature. Tasks do not get it."""

NAMESPACE: Final = "tradewind-run"
"""Of the SSH signature: one for another purpose is none for a run."""

FIELDS: Final = frozenset({"not_before", "not_after", "signature"})


class SignatureWrong(ValueError):
    """What stands for a signature is none, or not for this run. The text says why."""


@dataclass(frozen=True)
class RunStatement:
    """What is signed. The signature is good for another run, Dag, Deployment or other parameters never."""

    deployment: str
    dag_id: str
    run_id: str
    parameters: str  # digest
    not_before: str  # moments in ISO 8601 with a zone
    not_after: str

    def text(self) -> bytes:
        return json.dumps({"tradewind_run": 1, **asdict(self)}, sort_keys=True).encode()


def digest(conf: Mapping[str, Any]) -> str:
    """Of a run's parameters, without their signature."""
    return hashlib.sha256(json.dumps(without(conf), sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def without(conf: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters without their signature."""
    return {name: value for name, value in conf.items() if name != KEY}


def of(
    conf: Mapping[str, Any], *, deployment: str, dag_id: str, run_id: str
) -> tuple[RunStatement, str] | None:
    """What the parameters of a run say was signed, and the signature; None without one. Raises SignatureWrong."""
    if KEY not in conf:
        return None
    given = conf[KEY]
    if (
        not isinstance(given, dict)
        or set(given) != FIELDS
        or not all(isinstance(one, str) for one in given.values())
    ):
        raise SignatureWrong(f"{KEY!r} is not of the form that `tradewind runs start --sign` writes")
    statement = RunStatement(
        deployment, dag_id, run_id, digest(conf), given["not_before"], given["not_after"]
    )
    return statement, given["signature"]


def moment(text: str) -> datetime:
    """A moment with a zone. Raises SignatureWrong."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SignatureWrong("the time of the signature is none") from None
    if found.tzinfo is None:
        raise SignatureWrong("the time of the signature has no zone")
    return found
