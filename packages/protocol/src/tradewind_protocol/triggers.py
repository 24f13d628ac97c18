"""Triggers: one verb, in both directions.

`POST /triggers/sync` says which triggers a host has and what they reported; the answer says which to create, which to
stop, and up to which report the plane has committed. Nothing is remembered between two requests but one number per
host (the last report applied), so any request may be lost, repeated or answered by another API server.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

from pydantic import Field, field_validator

from tradewind_protocol.errors import Refusal
from tradewind_protocol.messages import Message
from tradewind_protocol.sessions import Name

SYNC: Final = "/triggers/sync"  # POST
"""Path of the verb, under `paths.PREFIX` on the plane and as it is on the gateway."""

LARGEST_EVENT: Final = 1024 * 1024
"""Bytes of JSON one report may have. A host turns a larger event into a failure that says so."""

MOST_REPORTS: Final = 100
"""Reports in one request; each is a transaction of its own on the plane."""

MOST_TRIGGERS: Final = 100_000
"""Triggers of one host."""

MOST_TRACEBACK: Final = 200
"""Lines of a traceback."""


class EndState(str, Enum):
    """How an event ends its task without a worker (Airflow's TaskSuccessEvent and its kin)."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


class Event(Message):
    """What a trigger fired. `payload` and `xcoms` are in the form of `values.pack`."""

    payload: Any = Field(default=None, repr=False)
    end_state: EndState | None = None  # None: resume the task with the payload
    xcoms: dict[str, Any] | None = Field(default=None, repr=False)


class Failure(Message):
    """A trigger that ended without an event; the tasks that wait for it fail."""

    traceback: tuple[str, ...] | None = Field(default=None, max_length=MOST_TRACEBACK, repr=False)
    rule: str = Field(default="", max_length=200)  # of the site's owner, that refused it; the gateway says so


class Report(Message):
    """One thing that happened. Sent until acknowledged, applied once: `seq` only grows within one `source`."""

    seq: int = Field(ge=1)
    trigger_id: int = Field(ge=0)
    event: Event | None = None
    failure: Failure | None = None  # exactly one of the two

    @field_validator("seq")
    @classmethod
    def _fits_a_column(cls, seq: int) -> int:
        """A bound that is no part of the schema: version 1.0 was written without it, and no agent counts as far as this."""
        if seq >= 2**63:
            raise ValueError("more than 64 bits")
        return seq


class Sync(Message):
    """Say what this host has, deliver reports, ask for news. Idempotent."""

    source: UUID  # this life of the host process
    running: str = Field(default="", max_length=2_000_000, repr=False)
    """`pack_ids` of every trigger the host has: running, about to run, or with a report that waits for its
    acknowledgement. What the plane wants and is not in here is created; what is in here and not wanted is stopped."""
    reports: tuple[Report, ...] = Field(default=(), max_length=MOST_REPORTS)
    queues: tuple[Name, ...] = Field(
        default=(), max_length=200
    )  # of triggers; none: what the agent's tasks use
    capacity: int | None = Field(default=None, ge=0, le=MOST_TRIGGERS)  # None: the session's
    working: bool = (
        True  # False: the event loop is silent; the plane lets others take over after its threshold
    )
    news: bool = True  # False: only deliver the reports
    hold: float | None = None  # answer within this many seconds; None: the cadence decides; 0: at once


class CreateTrigger(Message):
    """Run this trigger."""

    id: int
    classpath: str
    arguments: str = Field(repr=False)  # kwargs in Airflow's serialized form, JSON text, decrypted
    ti: dict[str, Any] | None = Field(default=None, repr=False)  # none for asset watchers and callbacks
    timeout_after: datetime | None = None
    dag_data: dict[str, Any] | None = Field(
        default=None, repr=False
    )  # only for tasks that start from a trigger
    dag_run_data: dict[str, Any] | None = Field(default=None, repr=False)
    watched_assets: dict[str, str] | None = None  # name to URI
    log_path: str = ""  # of the task's log, relative to the log directory


class RefusedReport(Message):
    """A report that will never be applied; it counts as acknowledged."""

    seq: int
    refusal: Refusal


class SyncAnswer(Message):
    """News, or nothing after `cadence.poll` seconds."""

    applied_through: int = 0  # reports of this source up to here are committed, or refused
    refused: tuple[RefusedReport, ...] = ()
    create: tuple[CreateTrigger, ...] = Field(default=(), repr=False)
    cancel: tuple[
        int, ...
    ] = ()  # a person or a timeout ended what it was for: stop it, and what it manages (on_kill)
    moved: tuple[int, ...] = ()  # runs elsewhere now: stop it, and leave alone what it manages
    more: bool = False  # there is more than fitted: ask again at once


def pack_ids(ids: Iterable[int]) -> str:
    """A set of ids in little space: the gaps between them as varints, compressed. 10,000 neighbours take 60 bytes."""
    gaps = bytearray()
    last = 0
    for number in sorted(set(ids)):
        gap, last = number - last, number
        while gap >= 0x80:
            gaps.append(gap & 0x7F | 0x80)
            gap >>= 7
        gaps.append(gap)
    return base64.b64encode(zlib.compress(bytes(gaps), 6)).decode() if gaps else ""


def unpack_ids(text: str) -> frozenset[int]:
    """Undo `pack_ids`. Raises ValueError for anything it did not write, and for more than `MOST_TRIGGERS` ids."""
    if not text:
        return frozenset()
    most = MOST_TRIGGERS * 5
    try:
        inflater = zlib.decompressobj()
        gaps = inflater.decompress(base64.b64decode(text, validate=True), most)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"not a packed set of ids: {error}") from None
    if inflater.unconsumed_tail or not inflater.eof:
        raise ValueError(f"a packed set of ids holds more than {MOST_TRIGGERS} ids, or is cut off")
    return frozenset(_running_sums(gaps))


def _running_sums(gaps: bytes) -> list[int]:
    ids: list[int] = []
    last = gap = shift = 0
    for byte in gaps:
        gap |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > 63:
                raise ValueError("not a packed set of ids: a gap is too large")
            continue
        last += gap
        ids.append(last)
        gap = shift = 0
    if shift or len(ids) > MOST_TRIGGERS or last >= 2**63:
        raise ValueError(f"a packed set of ids is cut off, too large, or has more than {MOST_TRIGGERS} ids")
    return ids
