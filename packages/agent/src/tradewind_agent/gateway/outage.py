"""What the gateway does for each route while the plane cannot be reached, and which requests may be sent twice."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from tradewind_agent.gateway.requests import Reply


class OutageAction(str, Enum):
    """What happens to a request while the plane does not answer."""

    STAND_IN = "stand_in"  # answer for the plane within the grace it granted
    KEEP = "keep"  # put into the outbox and answer as the plane would
    WAIT = "wait"  # hold the request until the plane is back or the grace is over
    START = "start"  # hold it only as long as the plane still counts the attempt as ours


class Repeatability(str, Enum):
    """What may follow a request that may have arrived although its answer was lost."""

    SAFE = "safe"  # the second one changes nothing more, and is answered like the first
    DONE = "done"  # the second one changes nothing more; that it comes too late (404, 409, 410) means the first arrived
    NEVER = "never"  # the caller has to know


@dataclass(frozen=True)
class OutageRule:
    """The rule of one route."""

    away: OutageAction = OutageAction.WAIT
    again: Repeatability = Repeatability.SAFE
    ok: Reply | None = None  # the plane's answer to success, where it says nothing the caller does not know


_NOTHING: Final = Reply(204, headers=())
_DONE: Final = Reply(201, b'{"message": "ok"}')
_READ: Final = OutageRule()
_WRITE: Final = OutageRule(ok=_NOTHING)

OUTAGE_RULES: Final[dict[str, OutageRule]] = {
    "ti.run": OutageRule(OutageAction.START),  # Airflow takes the same host, user and pid twice
    "ti.heartbeat": OutageRule(OutageAction.STAND_IN, ok=_NOTHING),
    # The same state twice is answered 200; but a retry gives the task instance a new id, and a trigger that fires at
    # once has moved it on: then the second one comes too late.
    "ti.state": OutageRule(OutageAction.KEEP, Repeatability.DONE, _NOTHING),
    "ti.skip_downstream": _WRITE,
    "ti.rtif": OutageRule(ok=_DONE),
    "ti.rendered_map_index": _WRITE,
    "ti.previous_successful_dagrun": _READ,
    "ti.validate_assets": _READ,
    "ti.reschedule_start": _READ,
    "ti.count": _READ,
    "ti.previous": _READ,
    "ti.states": _READ,
    "ti.breadcrumbs": _READ,
    "dag.get": _READ,
    "dagrun.count": _READ,
    "dagrun.previous": _READ,
    "dagrun.previous_before_2026_04": _READ,
    "dagrun.state": _READ,
    "dagrun.get": _READ,
    # That a run of this name appeared between a lost answer and its repetition, by another client, is far less likely
    # than that the lost request made it; the task would fail for nothing.
    "dagrun.trigger": OutageRule(OutageAction.WAIT, Repeatability.DONE, _NOTHING),
    "dagrun.clear": OutageRule(
        OutageAction.WAIT, Repeatability.NEVER
    ),  # would restart what the first one has started
    "xcom.item": _READ,
    "xcom.slice": _READ,
    "xcom.count": _READ,
    "xcom.get": _READ,
    "xcom.set": OutageRule(ok=_DONE),
    "xcom.delete": OutageRule(ok=Reply(200, b'{"message": "ok"}')),
    "task_store.get": _READ,
    "task_store.set": _WRITE,
    "task_store.delete": _WRITE,
    "task_store.clear": _WRITE,
    "asset_store.get_by_name": _READ,
    "asset_store.set_by_name": _WRITE,
    "asset_store.delete_by_name": _WRITE,
    "asset_store.clear_by_name": _WRITE,
    "asset_store.get_by_uri": _READ,
    "asset_store.set_by_uri": _WRITE,
    "asset_store.delete_by_uri": _WRITE,
    "asset_store.clear_by_uri": _WRITE,
    "asset.by_name": _READ,
    "asset.by_uri": _READ,
    "asset.by_alias": _READ,
    "asset_event.by_asset": _READ,
    "asset_event.by_alias": _READ,
    "connection.get": _READ,
    "variable.keys": _READ,
    "variable.get": _READ,
    "variable.set": OutageRule(ok=_DONE),
    "variable.delete": _WRITE,
    "connection_test.get": OutageRule(OutageAction.WAIT, Repeatability.NEVER),  # the plane hands it out once
    "connection_test.report": OutageRule(OutageAction.WAIT, Repeatability.DONE, _NOTHING),
    "hitl.ask": OutageRule(),
    "hitl.respond": OutageRule(),
    "hitl.get": _READ,
}
"""Every route that has callers; a test compares this table with the boundary's."""

UNKNOWN: Final = OutageRule(OutageAction.WAIT, Repeatability.NEVER)
"""A route the boundary does not know, under open rules."""
