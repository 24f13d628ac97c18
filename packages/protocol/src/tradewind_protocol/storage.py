"""How values that stay at a site are named: the path of each in the site's storage, and the reference the plane keeps.

A reference is the URL of the stored object. It says of itself that it is one, by the end of its last name, and which
storage the object is in, by the mark of that storage; so it is never taken for a string of a Dag author's, nor for an
object of another storage that has the same address (the default folder on two machines).

    {base}/{Dag}/{run}/{task}/{32 hex digits}[.{mark}].tradewind-xcom[.gz]
    {base}/tasks/{Dag}/{run}/{task}/{map index}/{key}[.{mark}].tradewind-state[.gz]
    {base}/assets/{asset}/{key}[.{mark}].tradewind-state[.gz]
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

MARK_FILE: Final = ".tradewind-storage"
"""In the base folder of a storage on a disk: its mark, 16 hex digits, made once with the folder."""

MARK: Final = re.compile(r"[0-9a-f]{16}")

_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+-]{0,99}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_]+")
_SLUG: Final = 40  # characters of a name that people can recognise beside its digest
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+-]{0,99}|[A-Za-z0-9_]{0,40}~[0-9a-f]{40}")


class StoredKind(str, Enum):
    """What a stored object holds; the end of its name."""

    XCOM = "tradewind-xcom"
    STATE = "tradewind-state"


_FOLDERS: Final = {StoredKind.XCOM: ((3, ""),), StoredKind.STATE: ((5, "tasks"), (2, "assets"))}
"""How many folders lie between the base and an object, and the name of the first where that is fixed."""

_REFERENCE: Final = re.compile(
    r"(?P<base>[a-z][a-z0-9+.-]*://.*?)"
    r"/(?P<folders>(?:[^/]+/)+)"
    r"(?P<name>[^/]+?)"
    r"(?:\.(?P<mark>[0-9a-f]{16}))?"
    r"\.(?P<kind>tradewind-xcom|tradewind-state)"
    r"(?P<compression>\.[a-z0-9]{1,8})?",
    re.DOTALL,
)


def segment(name: str) -> str:
    """`name` as one segment of a path: a file name anywhere, no separator, never `.` or `..`, 100 characters at most.

    Injective: two names never have the same segment. A name of plain characters is its own segment; any other becomes
    what is readable of it and a digest.
    """
    if _PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return f"{_UNSAFE.sub('_', name)[:_SLUG]}~{digest}"


@dataclass(frozen=True)
class Reference:
    """The name of one stored object."""

    base: str  # URL without a trailing slash
    folders: tuple[str, ...]  # segments
    name: str  # a segment
    kind: StoredKind
    mark: str = ""  # of the storage; empty where it has none (an object store's address says which it is)
    compression: str = ""  # with its dot: ".gz"

    @property
    def path(self) -> str:
        """Relative to the base."""
        mark = f".{self.mark}" if self.mark else ""
        return "/".join((*self.folders, f"{self.name}{mark}.{self.kind.value}{self.compression}"))

    @property
    def text(self) -> str:
        return f"{self.base}/{self.path}"


def parse(value: object) -> Reference | None:
    """The reference that `value` is, or None when it is none: of another form, or with a segment that none can have
    (such as `..`)."""
    if not isinstance(value, str) or ".tradewind-" not in value:
        return None
    found = _REFERENCE.fullmatch(value)
    if found is None:
        return None
    kind = StoredKind(found["kind"])
    above = [*found["base"].split("/"), *found["folders"].rstrip("/").split("/")]
    for depth, first in _FOLDERS[kind]:
        folders = tuple(above[-depth:])
        base = "/".join(above[:-depth])
        if "://" not in base or (first and folders[0] != first):
            continue
        if all(_SEGMENT.fullmatch(each) for each in (*folders, found["name"])):
            return Reference(
                base, folders, found["name"], kind, found["mark"] or "", found["compression"] or ""
            )
    return None


def xcom(
    base: str, *, dag_id: str, run_id: str, task_id: str, name: str, mark: str = "", compression: str = ""
) -> Reference:
    """Where an XCom value goes. `name`: 32 hex digits, unique."""
    folders = (segment(dag_id), segment(run_id), segment(task_id))
    return Reference(base, folders, name, StoredKind.XCOM, mark, compression)


def task_state(
    base: str,
    *,
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: int,
    key: str,
    mark: str = "",
    compression: str = "",
) -> Reference:
    """Where a value of a task's state goes."""
    folders = ("tasks", segment(dag_id), segment(run_id), segment(task_id), _index(map_index))
    return Reference(base, folders, segment(key), StoredKind.STATE, mark, compression)


def asset_state(base: str, *, asset: str, key: str, mark: str = "", compression: str = "") -> Reference:
    """Where a value of an asset's state goes."""
    return Reference(base, ("assets", segment(asset)), segment(key), StoredKind.STATE, mark, compression)


def _index(map_index: int) -> str:
    """-1, of a task that is not mapped, is no segment."""
    return str(map_index) if map_index >= 0 else "unmapped"
