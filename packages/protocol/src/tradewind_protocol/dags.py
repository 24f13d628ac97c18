"""Dags: what a site's dag processor tells the plane, and what the plane asks of it.

Three verbs, all idempotent. `claim` says which bundles a dag processor could speak for and learns what the plane holds
of each. `report` sends what differs from that: results of files whose content changed, files that only moved to another
version of the bundle, files that are gone. `watch` is a long poll for what the plane wants: files to parse now, callbacks
to run, a claim to make again.

A **mark** names one state of what the plane holds of a bundle; each write makes a new one. A dag processor whose mark
is not the plane's (the plane was restored from a backup, a person deleted a Dag, another agent wrote) claims again and
sends what differs. That is what lets an unchanged file cost nothing.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, Field

from tradewind_protocol.errors import Refusal
from tradewind_protocol.messages import Message
from tradewind_protocol.paths import DAGS
from tradewind_protocol.sessions import BundleName

CLAIM: Final = f"{DAGS}/claim"  # POST Claim, answers Claimed
REPORT: Final = f"{DAGS}/report"  # POST Report, answers Reported
WATCH: Final = f"{DAGS}/watch"  # POST Watch, answers News

BATCH_BYTES: Final = 4 * 1024 * 1024
"""A dag processor closes a report at about this size; one larger file travels alone."""

LARGEST_FILE: Final = 24 * 1024 * 1024
"""Bytes of JSON one file's result may have. Below the cadence's `largest_body`, so that a report of one always fits."""

LARGEST_DAG: Final = 16 * 1024 * 1024
"""Bytes of JSON one serialized Dag may have."""

FILES_IN_REPORT: Final = 500
"""How many files one report may name, in each of its lists."""


def checked_path(path: str) -> str:
    """`path` when it is one that stays inside its bundle: relative, with `/`, no `..`. Raises ValueError naming it."""
    parts = path.split("/")
    if (
        not path
        or len(path) > 1000
        or "\0" in path
        or "\\" in path
        or any(p in ("", ".", "..") for p in parts)
    ):
        raise ValueError(f"{path[:200]!r} is not a path inside a bundle")
    return path


BundlePath = Annotated[str, AfterValidator(checked_path)]
"""A file's path inside its bundle. Only ever a name to the plane, which never opens it."""

Content = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9a-f]+$")]
"""The hash of everything a file's parse gave: equal hashes, equal rows on the plane."""


# ---- claim


class Role(str, Enum):
    """What a dag processor is to a bundle."""

    SPEAKS = "speaks"  # parses and reports
    STANDS_BY = "stands_by"  # another one speaks; told by `watch` when that one has gone
    REFUSED = "refused"  # the bundle belongs to another site


class BundleClaim(Message):
    """A bundle this dag processor has in its configuration."""

    name: BundleName
    fingerprint: str = Field(default="", max_length=64)
    """Not used: whose a bundle is goes by the site of the agent token. Kept for agents that send it."""
    versioned: bool = False
    view_url_template: str | None = Field(default=None, max_length=2000)
    template_params: dict[str, str] = {}


class Claim(Message):
    """Ask to speak for bundles. The lists are complete: a bundle this agent spoke for and does not name is retired."""

    instance: UUID  # new with every dag processor process
    bundles: tuple[BundleClaim, ...] = Field(default=(), max_length=1000)
    kept: tuple[str, ...] = Field(default=(), max_length=1000)
    """Bundles of its configuration that cannot be made now (a connection is missing): neither claimed nor retired."""
    key: str = Field(default="", max_length=64)
    """Which key this agent keeps text under, as a digest of it: equal for all agents of a site. Empty: it cannot say."""


class HeldFile(Message):
    """What the plane holds of one file. An empty `content`: it holds something, but not what was last sent."""

    path: str
    content: str = ""
    version: str | None = None


class BundleClaimed(Message):
    """What the plane says to one claim."""

    name: str
    role: Role
    refusal: Refusal | None = None  # when refused: by what, and what an operator can do
    mark: str = ""
    version: str | None = None  # of the bundle, as last reported
    refreshed_at: datetime | None = None
    files: tuple[HeldFile, ...] = ()  # when it speaks
    another_key: str = ""
    """The agent that claimed the bundle before with another key: what one of the two seals, the other cannot open."""


class Claimed(Message):
    """One answer for each claimed bundle."""

    bundles: tuple[BundleClaimed, ...] = ()


# ---- report


class DagWarning(Message):
    """One of Airflow's warnings about a Dag."""

    dag_id: str = Field(max_length=250)
    warning_type: str = Field(max_length=50)
    message: str = Field(max_length=20_000)


class FileResult(Message):
    """All that a parse of one file gave. It replaces what the plane held: a Dag not in it is gone."""

    path: BundlePath
    content: Content
    dags: tuple[dict[str, Any], ...] = Field(default=(), max_length=10_000, repr=False)
    """Serialized Dags, their `fileloc` neutral."""
    import_errors: dict[BundlePath, str] = Field(default={}, max_length=1000)
    warnings: tuple[DagWarning, ...] = Field(default=(), max_length=10_000)
    seconds: float = Field(default=0.0, ge=0)  # how long the parse took
    source: dict[BundlePath, str] | None = Field(default=None, max_length=1000, repr=False)
    """Text by path (a zip archive has several), when the site sends source. None: it does not."""


class FileSame(Message):
    """A file whose content the plane holds already; only the version of its bundle is another."""

    path: BundlePath
    content: Content


class Report(Message):
    """What changed in one bundle. Send it again after a lost answer: it changes nothing the second time.

    A file that cannot be stored is refused alone; the others of the report are stored.
    """

    instance: UUID
    bundle: BundleName
    version: str | None = Field(default=None, max_length=200)
    version_data: dict[str, Any] | None = None
    refreshed_at: datetime | None = None  # when the bundle was refreshed, if it was
    files: tuple[FileResult, ...] = Field(default=(), max_length=FILES_IN_REPORT)
    same: tuple[FileSame, ...] = Field(default=(), max_length=FILES_IN_REPORT)
    removed: tuple[BundlePath, ...] = Field(default=(), max_length=FILES_IN_REPORT)


class FileRefused(Message):
    """One file, or one Dag of it, was not stored."""

    path: str
    dag_id: str = ""
    refusal: Refusal


class Reported(Message):
    """What the plane holds now."""

    mark: str
    before: str = ""
    """The mark when the report came. Not the reporter's own: something else changed too, and it has to claim again."""
    stored: tuple[str, ...] = ()  # paths held as sent, from `files`, `same` and `removed`
    refused: tuple[FileRefused, ...] = ()
    resend: tuple[str, ...] = ()  # paths to send in full: not held as `same` said, or free to be stored now


# ---- watch


class Watch(Message):
    """Wait for what the plane wants of this dag processor."""

    instance: UUID
    marks: dict[str, str] = Field(default={}, max_length=1000)
    """Every bundle of the last claim that was not refused: its mark where this one speaks, empty where it stands by."""
    parsing: tuple[str, ...] = Field(default=(), max_length=1000)  # requests taken over; not asked again
    confirm: tuple[UUID, ...] = Field(default=(), max_length=1000)  # callbacks to be granted
    done: tuple[UUID, ...] = Field(default=(), max_length=1000)  # callbacks that ended, however they did
    hold: float | None = Field(
        default=None, ge=0
    )  # answer within this many seconds; 0: at once; None: the cadence


class ParseRequest(Message):
    """A person wants this file parsed now. Sent until named in `parsing`; parsing twice does no harm."""

    id: str
    bundle: str
    path: str


class CallbackOffer(Message):
    """A callback of a Dag or task to run. Confirm it and wait for its grant: without one it must not run."""

    id: UUID
    bundle: str
    request: dict[str, Any] = Field(repr=False)  # Airflow's callback request as JSON


class News(Message):
    """What the plane wants, or nothing after `hold` seconds."""

    parse: tuple[ParseRequest, ...] = ()
    callbacks: tuple[CallbackOffer, ...] = ()
    granted: tuple[UUID, ...] = ()  # of `confirm`: run them; granted once, to one dag processor
    claim: tuple[str, ...] = ()  # bundles whose role or mark is not what this one believes: claim again


_FILELOC = re.compile(r"[\x00-\x1f]")


def neutral_fileloc(bundle: str, path: str) -> str:
    """Where the plane says a file is: below `/dev/null`, which is no directory. It says nothing of the site's disk, and
    can name no file of the plane's, whatever the bundle and the file are called."""
    parts = f"{bundle}/{path}".split("/")
    kept = "/".join(part for part in parts if part not in ("", ".", ".."))
    return _FILELOC.sub("", f"/dev/null/{kept}")
