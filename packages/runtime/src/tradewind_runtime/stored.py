"""`python -m tradewind_runtime.stored`: what is in a task environment's storages, and its removal, asked by the agent.

Reads one line of JSON on standard input: a `Configure`, and what to do. Prints lines of JSON behind a mark. Runs in the task
environment, since only there a bucket can be opened.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from tradewind_protocol import storage
from tradewind_protocol.hosts import Configure
from tradewind_protocol.storage import StoredKind
from tradewind_runtime import environment

MARK: Final = "tradewind-stored "


@dataclass
class Folder:
    """The values of one run, of one kind; for the state of assets, which is of no run, `dag` and `run` are empty."""

    kind: str  # "xcom" or "state"
    base: str
    dag: str
    run: str
    files: int = 0
    bytes: int = 0
    oldest: float = 0.0  # seconds since 1970
    newest: float = 0.0

    def add(self, size: int, modified: float) -> None:
        self.oldest = modified if self.files == 0 else min(self.oldest, modified)
        self.newest = max(self.newest, modified)
        self.files += 1
        self.bytes += size


def main() -> int:
    """Exit status 0 when the storages could be looked at."""
    asked = json.loads(sys.stdin.read())
    environment.prepare(Configure.model_validate(asked["configure"]))
    answers = removed(asked["remove"]) if "remove" in asked else listed()
    for answer in answers:
        print(MARK + json.dumps(answer), flush=True)  # noqa: T201 (this is the answer)
    return 0


def listed() -> Iterator[dict[str, Any]]:
    """One answer for each run that has values."""
    for kind, place in _places():
        found: dict[tuple[str, str], Folder] = {}
        for reference, size, modified in place.objects():
            run = _run_of(reference)
            if run not in found:
                found[run] = Folder(kind.name.lower(), place.base, *run)
            found[run].add(size, modified)
        yield from map(asdict, found.values())


def removed(orders: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Carry out orders, each for the values of one run: those written at `before` or earlier whose names are not in
    `keep`. One answer for each order: what was removed, or with `dry` would be."""
    wanted = {(one["kind"], one["base"], one["dag"], one["run"]): one for one in orders if one["dag"]}
    done: dict[tuple[str, str, str, str], Folder] = {}
    for kind, place in _places():
        for reference, size, modified in place.objects(below=_dags(wanted, kind, place.base)):
            key = (kind.name.lower(), place.base, *_run_of(reference))
            order = wanted.get(key)
            if order is None or modified > order["before"]:
                continue
            if reference.path.rsplit("/", 1)[1] in order["keep"]:
                continue
            if not order["dry"]:
                place.delete(reference)
            done.setdefault(key, Folder(*key)).add(size, modified)
        for order in wanted.values():
            if not order["dry"] and order["kind"] == kind.name.lower() and order["base"] == place.base:
                place.tidy(order["dag"], order["run"], before=order["before"])
    yield from map(asdict, done.values())


def _dags(wanted: dict[tuple[str, str, str, str], Any], kind: StoredKind, base: str) -> set[str]:
    return {one[2] for one in wanted if one[:2] == (kind.name.lower(), base)}


def _run_of(reference: storage.Reference) -> tuple[str, str]:
    if reference.kind is StoredKind.XCOM:
        return reference.folders[0], reference.folders[1]
    if reference.folders[0] == "tasks":
        return reference.folders[1], reference.folders[2]
    return "", ""


def _places() -> list[tuple[StoredKind, Any]]:
    from tradewind_runtime.airflow import site_storage

    both = ((StoredKind.XCOM, site_storage.of_xcoms()), (StoredKind.STATE, site_storage.of_state()))
    return [(kind, place) for kind, place in both if place.base]


if __name__ == "__main__":
    sys.exit(main())
