"""A serialized Dag without what its author wrote: structure, schedule and names, and notices with digests in the rest.

The scheduler needs nothing more: a task runs from the site's own Dag file. A digest is of the text it stands for, so a
new version of the Dag comes about exactly when one would have come about with the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tradewind_protocol.boundary import dag_fields
from tradewind_protocol.boundary.dag_assets import reduced_assets, reduced_expansion, reduced_timetable
from tradewind_protocol.boundary.dag_fields import TYPE, VAR, Form, are_names, is_name, is_name_or_number
from tradewind_protocol.boundary.dag_params import reduced_params
from tradewind_protocol.boundary.dag_text import KeptField, Text
from tradewind_protocol.boundary.notices import Digest, is_notice, keyed
from tradewind_protocol.boundary.sealing import Seal

_EXPANSIONS: Final = ("expand_input", "op_kwargs_expand_input")


@dataclass(frozen=True)
class ReducedDag:
    """A Dag as it may leave."""

    data: dict[str, Any]
    replaced: tuple[str, ...]
    """Each place an author's text was taken from, in words: `task load bash_command`. Empty: it was reduced already."""
    has_sealed: bool = field(default=False, compare=False)  # some arguments are in sealed form


def reduced(
    data: dict[str, Any], digest: Digest, kept: Sequence[KeptField] = (), *, seal: Seal | None = None
) -> ReducedDag:
    """The reduced form of a serialized Dag. `data` is left as it is; reducing what is reduced changes nothing.

    `seal` is for arguments that the plane hands back to the site; without one they are notices as well.

    Whatever is not of Airflow's form is left out. Never raises for JSON.
    """
    dag = data.get("dag")
    dag = dag if isinstance(dag, dict) else {}
    text = Text(str(dag.get("dag_id", "")), digest, seal, kept)
    whole: dict[str, Any] = {}
    if isinstance(data.get("__version"), int):
        whole["__version"] = data["__version"]
    whole["dag"] = _dag(text, dag)
    defaults = data.get("client_defaults")
    if isinstance(defaults, dict) and isinstance(defaults.get("tasks"), dict):
        whole["client_defaults"] = {
            "tasks": {
                name: value
                for name, value in defaults["tasks"].items()
                if (form := dag_fields.OPERATOR.get(name)) is not None and form(value)
            }
        }
    return ReducedDag(whole, tuple(text.replaced), text.has_sealed)


def not_reduced(data: dict[str, Any]) -> tuple[str, ...]:
    """The places of a serialized Dag that still hold what an author wrote. Needs no key: a plane asks this."""
    return reduced(data, keyed(b"")).replaced


def _dag(text: Text, dag: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    left_out: dict[str, Any] = {}
    for name, value in dag.items():
        if name in dag_fields.HOST_ONLY or name == "doc_md":
            continue
        if name == "tasks":
            kept[name] = [_task(text, one) for one in value if isinstance(one, dict)]
        elif name == "task_group":
            kept[name] = None if not isinstance(value, dict) else _group(text, value)
        elif name == "params":
            kept[name] = reduced_params(text, value, "dag")
        elif name == "timetable":
            kept[name] = reduced_timetable(text, value)
        elif name == "dag_dependencies":
            kept[name] = [one for one in value if isinstance(one, dict) and are_names(one)]
        elif name == "deadline" and not text.leaves(("dag",), name):
            kept[name] = _deadlines(text, value)
        elif name == "description" and not text.leaves(("dag",), name):
            kept[name] = text.stays(value, "dag", name)
        else:
            _field(text, ("dag",), ("dag",), dag_fields.DAG, name, value, kept, left_out)
    _documented(text, ("dag",), ("dag",), dag.get("doc_md"), kept, left_out)
    return kept


def _task(text: Text, encoded: dict[str, Any]) -> dict[str, Any]:
    task = encoded.get(VAR)
    if not isinstance(task, dict):
        return {TYPE: encoded.get(TYPE), VAR: {}}
    of = (str(task.get("task_type")), f"{task.get('_task_module')}.{task.get('task_type')}")
    return {TYPE: encoded.get(TYPE), VAR: _operator(text, task, of, ("task", str(task.get("task_id"))))}


def _operator(
    text: Text, task: dict[str, Any], of: tuple[str, ...], place: tuple[str, ...]
) -> dict[str, Any]:
    """An operator's fields, or the ones given with `partial`."""
    kept: dict[str, Any] = {}
    left_out: dict[str, Any] = {}
    for name, value in task.items():
        if name == "doc_md":
            continue
        if text.leaves(of, name):
            kept[name] = value
        elif name == "partial_kwargs" and isinstance(value, dict):
            kept[name] = _operator(text, value, of, (*place, "partial"))
        elif name == "params" and isinstance(value, list):
            kept[name] = reduced_params(text, value, *place)
        elif name in ("inlets", "outlets"):
            kept[name] = reduced_assets(text, value, *place, name)
        elif name in _EXPANSIONS:
            kept[name] = reduced_expansion(text, value, lambda field: text.leaves(of, field), *place, name)
        elif name == "start_trigger_args":
            kept[name] = _start_trigger(text, value, *place) if isinstance(value, dict) else None
        else:
            _field(text, of, place, dag_fields.OPERATOR, name, value, kept, left_out)
    _documented(text, of, place, task.get("doc_md"), kept, left_out)
    return kept


def _start_trigger(text: Text, args: dict[str, Any], *place: str) -> dict[str, Any]:
    kept = _named(args, is_name_or_number, TYPE, "trigger_cls", "next_method", "timeout")
    for name, bound in (("trigger_kwargs", "trigger_cls"), ("next_kwargs", "next_method")):
        if name in args or text.seal is not None:
            kept[name] = text.sealed(args.get(name), kept.get(bound), *place, "start_trigger_args", name)
    return kept


def _named(facts: dict[str, Any], form: Form, *names: str) -> dict[str, Any]:
    """Those of the named fields that are there and of that form."""
    return {name: facts[name] for name in names if name in facts and form(facts[name])}


def _deadlines(text: Text, deadlines: Any) -> Any:
    if isinstance(deadlines, list):
        return [_deadline(text, one) for one in deadlines]
    return _deadline(text, deadlines)


def _deadline(text: Text, deadline: Any) -> Any:
    """By when, counted from what, and which function: passes. What the function is called with is sealed."""
    if not isinstance(deadline, dict):
        return deadline if is_name(deadline) else None  # of a stored Dag: an id
    if isinstance(deadline.get(VAR), dict):
        return {TYPE: deadline.get(TYPE), VAR: _deadline(text, deadline[VAR])}
    kept = _named(deadline, are_names, "name", "reference", "interval")
    callback = deadline.get("callback")
    if isinstance(callback, dict) and isinstance(callback.get("__data__"), dict):
        called = callback["__data__"]
        facts = _named(called, is_name, "path", "executor")
        if "kwargs" in called or text.seal is not None:
            facts["kwargs"] = text.sealed(called.get("kwargs"), facts.get("path"), "deadline", "kwargs")
        kept["callback"] = {
            **_named(callback, is_name_or_number, "__classname__", "__version__"),
            "__data__": facts,
        }
    return kept


def _group(text: Text, group: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    left_out: dict[str, Any] = {}
    place = ("task_group", str(group.get("_group_id")))
    for name, value in group.items():
        if name == "doc_md":
            continue
        if name == "children" and isinstance(value, dict):
            kept[name] = {label: _child(text, child) for label, child in value.items()}
        elif name == "expand_input":
            kept[name] = reduced_expansion(text, value, lambda _: False, *place, name)
        else:
            _field(text, ("task_group",), place, dag_fields.GROUP, name, value, kept, left_out)
    _documented(text, ("task_group",), place, group.get("doc_md"), kept, left_out)
    return kept


def _child(text: Text, child: Any) -> Any:
    if isinstance(child, (list, tuple)) and len(child) == 2 and isinstance(child[1], dict):
        return [child[0], _group(text, child[1])]
    return child if are_names(child) else None


def _field(
    text: Text,
    of: tuple[str, ...],
    place: tuple[str, ...],
    forms: Any,
    name: str,
    value: Any,
    kept: dict[str, Any],
    left_out: dict[str, Any],
) -> None:
    """Put one field into `kept`, as it is or as a notice, or into `left_out` where no notice can stand."""
    form: Form | None = forms.get(name)
    if text.leaves(of, name) or (form is not None and form(value)):
        kept[name] = value
    elif form is dag_fields.are_names:
        kept[name] = {} if isinstance(value, dict) else []
        left_out[name] = value
    elif name in dag_fields.NEVER_TEXT or (form is not None and form is not is_name):
        left_out[name] = value
    else:
        kept[name] = text.stays(value, *place, name)


def _documented(
    text: Text,
    of: tuple[str, ...],
    place: tuple[str, ...],
    doc: Any,
    kept: dict[str, Any],
    left_out: dict[str, Any],
) -> None:
    if text.leaves(of, "doc_md") and not left_out:
        sent_doc = doc
    elif left_out and is_notice(doc):
        sent_doc = text.left_out(left_out, None, *place)
    else:
        sent_doc = text.left_out(left_out, doc, *place)
    if sent_doc is not None:
        kept["doc_md"] = sent_doc
