"""Data that the plane keeps and cannot read: values sealed with a key ring of the site's owner.

A site with a key ring seals XComs that are no references, state, extras of asset events, parameters of runs that a task
starts, and events of triggers. Each is bound to its kind and to its place: Dag, run, task, map index, and its own name. The
plane stores the sealed form and hands it back; the gateway of any agent of the site opens it. What cannot be opened, or was
sealed for another place, is an error with the reason, and never a value. The owner can demand that nothing comes back without
a seal, kind by kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from tradewind_protocol import values
from tradewind_protocol.boundary.control_keys import is_control
from tradewind_protocol.boundary.notices import is_notice
from tradewind_protocol.boundary.reads import OwnRun, of_earlier_runs, parameters
from tradewind_protocol.boundary.routes import RouteMatch
from tradewind_protocol.boundary.sealing import (
    SEALED,
    CannotOpen,
    Place,
    Seal,
    Unseal,
    encoded,
    form_of,
    has_seal,
    is_sealed,
    sealed_value,
)
from tradewind_protocol.patterns import fits

# Kinds of values. None of them can be the name of a class or a method, for which arguments are sealed.
XCOM: Final = "an XCom"
TASK_STATE: Final = "a task's state"
ASSET_STATE: Final = "an asset's state"
EVENT_EXTRA: Final = "the extra of an asset event"
ASSET_EXTRA: Final = "the extra of an asset"
RUN_PARAMETERS: Final = "the parameters of a run"
EVENT: Final = "the event of a trigger"

Kinds = Collection[str]
"""Kinds of values that a site takes in sealed form only."""

PACKED: Final = "tradewind_packed"
"""The one key of a trigger's event, as JSON text in the form of `values.pack`, for the process that resumes the task."""


@dataclass(frozen=True)
class ValueSeal:
    """How a site seals values now."""

    seal: Seal
    by: str  # "frankfurt, key 2026-11"
    run_parameters: tuple[str, ...] = ("*",)  # Dags whose runs get them sealed
    asset_events: bool = True
    trigger_events: bool = True
    references: bool = False  # whether XComs and state that are references are sealed, too

    def __call__(self, kind: str, place: Place, value: Any) -> Any:
        """The value in sealed form."""
        return sealed_value(self.seal, kind, place, value, self.by)

    def seals_parameters(self, dag_id: str) -> bool:
        return fits(dag_id, self.run_parameters)


# ---- what leaves


def xcom(seal: ValueSeal, found: RouteMatch, query: bytes, value: Any) -> Any:
    return seal(XCOM, (*_task(found), _map_index(query), found.params["key"]), value)


def state(seal: ValueSeal, found: RouteMatch, query: bytes, own: OwnRun | None, value: Any) -> Any:
    """The value of a task's or an asset's state store."""
    kind, place = _state_place(found, query, own)
    return seal(kind, place, value)


@dataclass(frozen=True)
class StartedBy:
    """The task that has started a run with parameters, by the seal of its site."""

    dag_id: str
    at: int  # seconds since 1970, by the agent's clock


def parameters_of_run(
    seal: ValueSeal, dag_id: str, run_id: str, conf: Mapping[str, Any], by: StartedBy
) -> Any:
    return seal(RUN_PARAMETERS, (dag_id, run_id, by.dag_id, str(by.at)), conf)


def started_by(conf: Any, open_: Unseal, own: OwnRun) -> StartedBy | None:
    """What has started the task's own run, where these are its parameters as a task of this site has sealed them."""
    if not is_sealed(conf):
        return None
    try:
        plain = open_(form_of(conf))
    except CannotOpen:
        return None
    if plain is None:
        return None
    kind, place, _ = json.loads(plain)
    if kind != RUN_PARAMETERS or tuple(place[:2]) != (own.dag_id, own.run_id):
        return None
    return StartedBy(place[2], int(place[3]))


def outlet_events(seal: ValueSeal, own: OwnRun, events: list[Any]) -> int:
    """Seal, in place, the extras of the events of one task. Returns how many there were."""
    made: dict[str, Any] = {}  # Airflow joins events of one asset with equal extras: they stay equal
    count = 0
    for event in events:
        if not isinstance(event, dict):
            continue
        asset = event.get("dest_asset_key")
        name = str(asset.get("name")) if isinstance(asset, dict) else ""
        for field, kind, place in (
            ("extra", EVENT_EXTRA, (own.dag_id, own.run_id, own.task_id, str(own.map_index), name)),
            ("dest_asset_extra", ASSET_EXTRA, (name,)),
        ):
            extra = event.get(field)
            if not isinstance(extra, dict) or not extra:
                continue
            which = json.dumps([field, name, extra], sort_keys=True)
            if which not in made:
                made[which] = seal(kind, place, extra)
            event[field] = made[which]
            count += 1
    return count


def trigger_event(seal: ValueSeal, task_instance_id: str, payload: Any) -> Any:
    """The payload of an event, for a task instance; without one for the assets that a trigger watches."""
    return seal(EVENT, (task_instance_id,), payload)


# ---- what comes back


def opened_event(event: Any, open_: Unseal, task_instance_id: str, required: Kinds = ()) -> Any:
    """The event that resumes a task. One without a seal is as the plane gives it, where it needs none. Raises CannotOpen."""
    payload = _opened(event, open_, EVENT, lambda place: place == (task_instance_id,), required)
    return encoded(event, {PACKED: json.dumps(payload)}) if has_seal(event) else event


def event_of(event: Any) -> Any:
    """The event as the trigger fired it, from `opened_event`'s form or any other."""
    if isinstance(event, dict) and set(event) == {PACKED} and isinstance(event[PACKED], str):
        return values.unpack(json.loads(event[PACKED]))
    return event


def opened_answer(
    found: RouteMatch, answer: Any, open_: Unseal, query: bytes, own: OwnRun | None, required: Kinds = ()
) -> Any:
    """A successful answer of the Execution API with its values opened. Raises CannotOpen."""
    name = found.route.name
    if name in ("xcom.get", "xcom.item", "xcom.slice"):
        return _opened_xcom(name, found, answer, open_, query, required)
    if name in ("task_store.get", "asset_store.get_by_name", "asset_store.get_by_uri"):
        if not isinstance(answer, dict):
            return answer
        kind, mine = _state_place(found, query, own)
        # an asset has a name and a URI, and one may have written what the other reads
        by_other = kind == ASSET_STATE

        def fits_state(place: Place) -> bool:
            return place == mine or (by_other and place[0] != mine[0] and place[-1] == mine[-1])

        return {**answer, "value": _opened(answer.get("value"), open_, kind, fits_state, required)}
    require_extras(answer, required)
    return opened_runs(answer, open_, _asked_run(found, query))


AskedRun = tuple[str | None, str | None]
"""The Dag and the run whose parameters an answer may have; None for any."""


def opened_runs(value: Any, open_: Unseal, asked: AskedRun = (None, None)) -> Any:
    """The parameters of each run, and the extras of each asset and asset event, in an answer. Raises CannotOpen, also for the
    parameters of a run that was not asked for."""
    if isinstance(value, list):
        return [opened_runs(item, open_, asked) for item in value]
    if not isinstance(value, dict):
        return value
    read = {key: opened_runs(item, open_, asked) for key, item in value.items()}
    if "conf" in read and has_seal(read["conf"]):
        run = (str(read.get("dag_id")), str(read.get("run_id")))

        def fits_run(place: Place) -> bool:
            return place[:2] == run and all(
                wanted in (None, found) for wanted, found in zip(asked, run, strict=True)
            )

        read["conf"] = _opened(read["conf"], open_, RUN_PARAMETERS, fits_run)
    if has_seal(read.get("extra")):
        read["extra"] = _opened_extra(read, open_)
    elif isinstance(extra := read.get("extra"), dict) and has_seal(extra.get("payload")):
        # of an asset that a trigger watches
        payload = _opened(extra["payload"], open_, EVENT, lambda place: place == ("",))
        read["extra"] = {**extra, "payload": payload}
    return read


def require_extras(answer: Any, required: Kinds) -> None:
    """Raises CannotOpen for an asset, or an event of one, whose extra has no seal although its kind needs one."""
    if not required:
        return
    if isinstance(answer, list):
        for one in answer:
            require_extras(one, required)
    if not isinstance(answer, dict):
        return
    require_extras(answer.get("dag_run"), required)
    for name in ("asset_events", "consumed_asset_events"):
        for event in _list(answer.get(name)):
            _require(event.get("extra"), EVENT_EXTRA, required, clear=partial(_of_airflow, required=required))
            require_extras(event.get("asset"), required)
    if "uri" in answer:
        _require(
            answer.get("extra"), ASSET_EXTRA, required, clear=lambda extra: not extra or is_notice(extra)
        )


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _of_airflow(extra: Any, *, required: Kinds) -> bool:
    """Whether the extra of an event has nothing but what Airflow itself puts there."""
    if not extra:
        return True
    if not isinstance(extra, dict):
        return False
    marks = {name: value for name, value in extra.items() if name != "payload"}
    if marks == {"from_rest_api": True}:
        return "payload" not in extra
    payload = extra.get("payload")
    return marks == {"from_trigger": True} and (payload is None or EVENT not in required or has_seal(payload))


def _require(value: Any, kind: str, required: Kinds, *, clear: Callable[[Any], bool]) -> None:
    if kind in required and not has_seal(value) and not clear(value):
        raise CannotOpen(
            f"{kind} has no seal, and this site takes sealed ones only ([seal] required). The plane, a user of it, or an agent "
            "without the key ring of the site has written it"
        )


def _opened_extra(record: dict[str, Any], open_: Unseal) -> Any:
    if "source_dag_id" not in record:
        return _opened(record["extra"], open_, ASSET_EXTRA, lambda place: place == (str(record.get("name")),))
    names = ("source_dag_id", "source_run_id", "source_task_id", "source_map_index")
    asset = record.get("asset")
    name = asset.get("name") if isinstance(asset, dict) else None
    source = (*(str(record.get(each)) for each in names), str(name))
    return _opened(record["extra"], open_, EVENT_EXTRA, lambda place: place == source)


def _opened_xcom(
    name: str, found: RouteMatch, answer: Any, open_: Unseal, query: bytes, required: Kinds
) -> Any:
    dag_id, run_id, task_id = _task(found)
    key = found.params["key"]
    earlier = of_earlier_runs(query)  # the answer does not say of which run
    index = _map_index(query) if name == "xcom.get" and not parameters(query, "offset") else None

    def fits_xcom(place: Place) -> bool:
        return (
            len(place) == 5
            and (place[0], place[2], place[4]) == (dag_id, task_id, key)
            and (earlier or place[1] == run_id)
            and (index is None or place[3] == index)
        )

    def one(value: Any) -> Any:
        return _opened(_read(value), open_, XCOM, fits_xcom, required, partial(is_control, key))

    if name == "xcom.slice":
        return [one(item) for item in answer] if isinstance(answer, list) else answer
    if name == "xcom.item":
        return one(answer)
    return {**answer, "value": one(answer.get("value"))} if isinstance(answer, dict) else answer


def _read(value: Any) -> Any:
    """A value as it was sent: the plane keeps the XComs of a trigger that ends its task as JSON text."""
    if not isinstance(value, str) or SEALED not in value:
        return value
    try:
        form = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return form if is_sealed(form) else value


def _opened(
    value: Any,
    open_: Unseal,
    kind: str,
    fits_place: Callable[[Place], bool],
    required: Kinds = (),
    clear: Callable[[Any], bool] = lambda value: False,
) -> Any:
    """What was sealed. A value without a seal is as it is where it needs none: none does that is nothing, or `clear`."""
    _require(value, kind, required, clear=lambda given: given is None or clear(given))
    if not has_seal(value):
        return value
    if not is_sealed(value):
        raise CannotOpen(f"{kind} is sealed, and something was added to it on the way")
    plain = open_(form_of(value))
    if plain is None:
        raise CannotOpen(f"{kind} is sealed with another key than this agent's")
    name, place, inner = json.loads(plain)
    if name != kind or not fits_place(tuple(place)):
        raise CannotOpen(f"{kind} was asked for, and the plane gave {name} of {'/'.join(map(str, place))}")
    return inner


def _asked_run(found: RouteMatch, query: bytes) -> AskedRun:
    """What a request for a run names, and any for other requests."""
    if not found.route.name.startswith("dagrun."):
        return None, None
    dag_id = found.params.get("dag_id") or next(iter(parameters(query, "dag_id")), None)
    return dag_id, found.params.get("run_id")


def _task(found: RouteMatch) -> tuple[str, str, str]:
    return found.params["dag_id"], found.params["run_id"], found.params["task_id"]


def _map_index(query: bytes) -> str:
    return next(iter(parameters(query, "map_index")), "-1")


def _state_place(found: RouteMatch, query: bytes, own: OwnRun | None) -> tuple[str, Place]:
    if found.route.name.startswith("task_store."):
        task = (own.dag_id, own.run_id, own.task_id, str(own.map_index)) if own is not None else ()
        return TASK_STATE, (*task, found.params["key"])
    which = "name" if found.route.name.endswith("by_name") else "uri"
    (named, key) = (next(iter(parameters(query, each)), "") for each in (which, "key"))
    return ASSET_STATE, (which, named, key)
