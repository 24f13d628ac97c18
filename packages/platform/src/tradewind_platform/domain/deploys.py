"""Code of a Deployment's own: which status a deploy has, and when code of another Airflow may take the place of the present one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Final

from tradewind_platform.domain.operations import State

SPEC: Final = "deploy"
"""The part of a specification that says which code a Deployment has; without it, that of its cluster."""
HEADS: Final = "heads"
"""The fact of an operation: the newest migration of each chain that the code has."""
RETENTION: Final = timedelta(days=90)
"""How long the history is kept."""


class Status(str, Enum):
    INITIALIZED = "INITIALIZED"
    DEPLOYED = "DEPLOYED"
    FAILED = "FAILED"


def status_of(operation: State) -> Status:
    """Of a deploy whose operation is in that state."""
    if not operation.ended:
        return Status.INITIALIZED
    return Status.DEPLOYED if operation is State.SUCCEEDED else Status.FAILED


@dataclass(frozen=True)
class Code:
    """What a Deployment runs: an archive, an image, or neither: the environment of its cluster."""

    digest: str = ""
    image: str = ""

    @property
    def is_own(self) -> bool:
        return bool(self.digest or self.image)


def code_of(spec: Mapping[str, Any]) -> Code:
    """The code that a specification asks for."""
    found = spec.get(SPEC) or {}
    return Code(found.get("digest", ""), found.get("image", ""))


def with_code(spec: Mapping[str, Any], id: str, code: Code, airflow: str) -> dict[str, Any]:
    """The specification with that code, and with its version of Airflow where that is known. `id`: of the deploy."""
    deploy = {"id": id, "digest": code.digest, "image": code.image} if code.is_own else {}
    return _changed(spec, airflow, deploy)


def restored(spec: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The specification with the version and the code that a backup says of itself: both go with the database."""
    version = str(facts.get("version") or "")
    return _changed(spec, version, facts.get(SPEC, spec.get(SPEC) or {}))


def _changed(spec: Mapping[str, Any], version: str, deploy: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in spec.items() if key != SPEC}
    if version:
        rest["version"] = version
    return {**rest, SPEC: dict(deploy)} if deploy else rest


def why_not_without_migration(now: str, wanted: str) -> str:
    """Why code with another Airflow needs more than a deploy, as far as its version says so; empty when it may not."""
    if not now or not wanted or _minor(now) == _minor(wanted):
        return ""
    return f"its code has Airflow {wanted}, and the Deployment has {now}"


def differing(these: Mapping[str, Any], those: Mapping[str, Any]) -> Sequence[str]:
    """The chains of migrations whose newest differ; none when those of one side are not known."""
    if not these or not those:
        return ()
    return sorted(
        f"{table}: {these.get(table) or 'none'}, {those.get(table) or 'none'}"
        for table in {*these, *those}
        if these.get(table) != those.get(table)
    )


def _minor(version: str) -> str:
    return version.rpartition(".")[0]
