"""Assets, timetables and what a task is mapped over: their structure passes, what an author wrote into them stays."""

from __future__ import annotations

from typing import Any, Final

from tradewind_protocol.boundary.dag_fields import TYPE, VAR, are_names, is_name
from tradewind_protocol.boundary.dag_text import Text
from tradewind_protocol.boundary.notices import NOTICE_KEY, is_notice

_ASSETS: Final = frozenset({"asset", "asset_alias", "asset_all", "asset_any", "asset_ref"})
_XCOM: Final = "xcomref"
_MAPPED: Final = "mapped_argument"


def reduced_assets(text: Text, listed: Any, *place: str) -> list[Any]:
    """A task's inlets or outlets. What is no asset is left out: the plane does nothing with it."""
    if isinstance(listed, dict) and VAR in listed:
        listed = listed[VAR]
    found = listed if isinstance(listed, list) else []
    kept = [one for one in found if isinstance(one, dict) and one.get(TYPE) in _ASSETS]
    if others := [one for one in found if one not in kept]:
        text.stays(others, *place)
    return [reduced_asset(text, one) for one in kept]


def reduced_asset(text: Text, asset: dict[str, Any]) -> dict[str, Any]:
    """An asset, an alias, a reference, or several of them; encoded with its fields beside the type or inside."""
    inner = asset.get(VAR) if isinstance(asset.get(VAR), dict) else None
    facts = {key: value for key, value in (inner if inner is not None else asset).items() if key != TYPE}
    kept = {key: facts[key] for key in ("name", "uri", "group") if key in facts and is_name(facts[key])}
    if isinstance(facts.get("objects"), list):
        kept["objects"] = [reduced_asset(text, one) for one in facts["objects"] if isinstance(one, dict)]
    if asset.get(TYPE) == "asset":
        name = str(facts.get("name"))
        kept["extra"] = _extra(text, facts.get("extra"), name)
        if isinstance(facts.get("watchers"), list):
            kept["watchers"] = [
                _watcher(text, one, name) for one in facts["watchers"] if isinstance(one, dict)
            ]
        if "access_control" in facts and are_names(facts["access_control"]):
            kept["access_control"] = facts["access_control"]
    return {TYPE: asset.get(TYPE), VAR: kept} if inner is not None else {TYPE: asset.get(TYPE), **kept}


def _extra(text: Text, extra: Any, name: str) -> Any:
    if not extra or text.leaves(("asset",), "extra"):
        return extra
    if isinstance(extra, dict) and is_notice(extra):
        return extra
    notice = text.stays(extra, "asset", name, "extra", shared=True)
    return {TYPE: "dict", VAR: {NOTICE_KEY: notice}} if TYPE in extra else {NOTICE_KEY: notice}


def _watcher(text: Text, watcher: dict[str, Any], asset: str) -> dict[str, Any]:
    trigger = watcher.get("trigger")
    trigger = trigger if isinstance(trigger, dict) else {}
    name = watcher.get("name") if is_name(watcher.get("name")) else None
    classpath = trigger.get("classpath") if is_name(trigger.get("classpath")) else None
    arguments = trigger.get("kwargs")
    if not text.leaves(("asset",), "watchers"):
        arguments = text.sealed(arguments, classpath, "asset", asset, "watcher", str(name), shared=True)
    return {"name": name, "trigger": {"classpath": classpath, "kwargs": arguments}}


def reduced_timetable(text: Text, timetable: Any) -> Any:
    """A timetable passes with what it schedules by; its assets are reduced, and a description is a notice."""
    if isinstance(timetable, list):
        return [reduced_timetable(text, one) for one in timetable]
    if not isinstance(timetable, dict):
        return timetable
    if timetable.get(TYPE) in _ASSETS:
        return reduced_asset(text, timetable)
    kept = {key: reduced_timetable(text, value) for key, value in timetable.items()}
    if "description" in kept and not text.leaves(("timetable",), "description"):
        kept["description"] = text.stays(kept["description"], "timetable", "description")
    return kept


def reduced_expansion(text: Text, expansion: Any, leaves: Any, *place: str) -> Any:
    """What a task or group is mapped over: as many items as there were, and references to other tasks' results.

    `leaves(name)` says whether a mapped field may leave as it is.
    """
    if not isinstance(expansion, dict):
        return {"type": "dict-of-lists", "value": {TYPE: "dict", VAR: {}}}
    value = expansion.get("value")
    if (
        expansion.get("type") == "dict-of-lists"
        and isinstance(value, dict)
        and isinstance(value.get(VAR), dict)
    ):
        mapped = {
            name: one if leaves(name) else _mapped(text, one, *place, name)
            for name, one in value[VAR].items()
        }
        return {"type": "dict-of-lists", "value": {TYPE: "dict", VAR: mapped}}
    return {"type": expansion.get("type"), "value": _mapped(text, value, *place)}


def _mapped(text: Text, value: Any, *place: str) -> Any:
    """One thing mapped over, as long as it was."""
    if not isinstance(value, (dict, list)):
        return text.stays(value, *place)
    if isinstance(value, dict):
        if value.get(TYPE) == _XCOM:
            return {TYPE: _XCOM, VAR: _reference(text, value.get(VAR), *place)}
        if value.get(TYPE) == _MAPPED:
            return _argument(text, value, *place)
        inner = value.get(VAR, value)
        value = list(inner.items()) if isinstance(inner, dict) else inner if isinstance(inner, list) else []
    references = {number: one for number, one in enumerate(value) if _refers(one)}
    items: list[Any] = [
        _mapped(text, references[number], *place, str(number)) if number in references else None
        for number in range(len(value))
    ]
    texts = [None if number in references else one for number, one in enumerate(value)]
    first = next((number for number, one in enumerate(items) if one is None), None)
    if first is not None and any(one is not None for one in texts):
        notice = texts[first]
        already = isinstance(notice, str) and is_notice(notice) and texts.count(None) == len(texts) - 1
        items[first] = notice if already else text.stays(texts, *place)
    return items


def _refers(value: Any) -> bool:
    return isinstance(value, dict) and value.get(TYPE) in (_XCOM, _MAPPED)


def _argument(text: Text, value: dict[str, Any], *place: str) -> dict[str, Any]:
    inner = value.get(VAR)
    inner = inner if isinstance(inner, dict) else {}
    return {
        TYPE: _MAPPED,
        VAR: {
            "input": reduced_expansion(text, inner.get("input"), lambda _: False, *place, "input"),
            "key": inner.get("key") if is_name(inner.get("key")) else None,
        },
    }


def _reference(text: Text, reference: Any, *place: str) -> Any:
    """A reference to a result: the task and the key. Functions it is mapped through, and what fills a gap, stay."""
    if not isinstance(reference, dict):
        return {}
    kept = {key: reference[key] for key in ("type", "task_id", "key") if is_name(reference.get(key, 0))}
    if "arg" in reference:
        kept["arg"] = _reference(text, reference["arg"], *place, "arg")
    if isinstance(reference.get("args"), list):
        kept["args"] = [
            _reference(text, one, *place, str(number)) for number, one in enumerate(reference["args"])
        ]
    if isinstance(reference.get("callables"), list):
        kept["callables"] = [text.stays(one, *place, "callables") for one in reference["callables"]]
    if "fillvalue" in reference:
        kept["fillvalue"] = text.stays(reference["fillvalue"], *place, "fillvalue")
    return kept
