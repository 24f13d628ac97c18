"""What the plane may have run at a site: what the site declared, proved by the site's seal.

`declare` seals what a Dag declares: triggers that start before their task, deadlines' callbacks, assets' watchers. A task
that defers declares its trigger and the method that resumes it (`rules.decide`). The other functions take what the plane
hands back: what has no seal of the site for that class, method or function becomes `UNDECLARED`, and the task environment
refuses it. So the plane chooses none of these, nor an argument of them, and no text of the plane is rendered as a template.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from tradewind_protocol.boundary import dag_fields
from tradewind_protocol.boundary.dag_fields import TYPE, VAR
from tradewind_protocol.boundary.reads import OwnRun
from tradewind_protocol.boundary.sealed_values import Kinds, opened_event
from tradewind_protocol.boundary.sealing import (
    CannotOpen,
    Declared,
    Place,
    Seal,
    Unseal,
    has_seal,
    opened,
    sealed,
)

UNDECLARED: Final = "tradewind_undeclared"
"""The one key of arguments that the site did not seal for what they are for; its value is the reason, for people."""

CALLBACK_TRIGGER: Final = "airflow.triggers.callback.CallbackTrigger"
"""The trigger that calls a deadline's function: its class is Airflow's choice, its function the Dag's."""

_FAILS: Final = "__fail__"  # Airflow's next_method of a task whose trigger failed: calls nothing
_START: Final = "start_trigger_args"
_DEADLINE: Final = ("deadline", "kwargs")


# ---- what leaves


def declare(data: dict[str, Any], seal: Seal) -> int:
    """Seal, in place, what a serialized Dag declares and what has no seal yet. What is readable stays readable. Returns
    how many sets of arguments were sealed."""
    dag = data.get("dag")
    if not isinstance(dag, dict):
        return 0
    declaring = _Declaring(str(dag.get("dag_id", "")), seal)
    for one in dag.get("tasks") or ():
        task = one.get(VAR) if isinstance(one, dict) else None
        if isinstance(task, dict):
            declaring.start(task)
            declaring.watchers(task.get("inlets"))
            declaring.watchers(task.get("outlets"))
    declaring.watchers(dag.get("timetable"))
    declaring.deadlines(dag.get("deadline"))
    return declaring.count


@dataclass
class _Declaring:
    """One Dag, while its arguments are sealed."""

    dag_id: str
    seal: Seal
    count: int = 0

    def start(self, task: dict[str, Any]) -> None:
        args = task.get(_START)
        if not isinstance(args, dict):
            return
        place = (self.dag_id, "task", str(task.get("task_id")), _START)
        for name, bound in (("trigger_kwargs", "trigger_cls"), ("next_kwargs", "next_method")):
            self._one(args, name, str(args.get(bound)), (*place, name))

    def watchers(self, value: Any) -> None:
        """Of every asset in a timetable, or in a list of inlets or outlets."""
        if isinstance(value, list):
            for one in value:
                self.watchers(one)
        if not isinstance(value, dict):
            return
        if value.get(TYPE) != "asset":
            for one in value.values():
                self.watchers(one)
            return
        facts = value[VAR] if isinstance(value.get(VAR), dict) else value
        for watcher in facts.get("watchers") or ():
            trigger = watcher.get("trigger") if isinstance(watcher, dict) else None
            if isinstance(trigger, dict):
                place = ("asset", str(facts.get("name")), "watcher", str(watcher.get("name")))
                self._one(trigger, "kwargs", str(trigger.get("classpath")), place)

    def deadlines(self, value: Any) -> None:
        if isinstance(value, list):
            for one in value:
                self.deadlines(one)
        if not isinstance(value, dict):
            return
        if isinstance(value.get(VAR), dict):
            self.deadlines(value[VAR])
            return
        callback = value.get("callback")
        called = callback.get("__data__") if isinstance(callback, dict) else None
        if isinstance(called, dict):
            self._one(called, "kwargs", str(called.get("path")), (self.dag_id, *_DEADLINE))

    def _one(self, parent: dict[str, Any], name: str, bound: str, place: Place) -> None:
        if not has_seal(parent.get(name)):
            parent[name] = sealed(self.seal, bound, place, parent.get(name) or {}, readable=True)
            self.count += 1


# ---- what comes back


def resumption(
    answer: dict[str, Any], open_: Unseal, task_instance_id: str, own: OwnRun | None, required: Kinds = ()
) -> dict[str, Any]:
    """The plane's answer to the start of a try: the method that resumes it and its arguments, as the task or its Dag
    declared them, with the trigger's event. `own` is of the task that the agent runs: the answer may name another."""
    method = answer.get("next_method")
    if method is None or method == _FAILS:
        return answer
    try:
        found = opened(
            _with_event(answer.get("next_kwargs"), open_, task_instance_id, required),
            open_,
            str(method),
            added=("event",),
        )
    except CannotOpen as cannot:
        return {**answer, "next_kwargs": cannot_open(f"the task to resume with {method!r}", cannot)}
    if found is None or not (
        found.place == (task_instance_id, "next_kwargs")
        or (own is not None and _starts(found.place, own.dag_id, own.task_id, "next_kwargs"))
    ):
        return {**answer, "next_kwargs": undeclared(f"the task to resume with {method!r}")}
    return {**answer, "next_kwargs": found.arguments}


def trigger(create: dict[str, Any], open_: Unseal) -> dict[str, Any]:
    """A trigger to run, as the task, the Dag or the asset declared it.

    Its Dag comes along only for a trigger that starts before its task: no other trigger's arguments are templates, and
    those of a task that deferred may hold what a user typed.
    """
    classpath = str(create.get("classpath"))
    passed = {**create, "dag_data": None, "dag_run_data": None}
    try:
        arguments = json.loads(str(create.get("arguments")))
    except (ValueError, RecursionError):
        arguments = None
    if classpath == CALLBACK_TRIGGER and not has_seal(arguments):
        return {**passed, "arguments": json.dumps(_called(arguments, open_))}
    try:
        found = opened(arguments, open_, classpath)
    except CannotOpen as cannot:
        return {**passed, "arguments": json.dumps(cannot_open(f"a trigger {classpath!r}", cannot))}
    ti = create.get("ti")
    if found is None or not _declares_trigger(found, ti):
        return {**passed, "arguments": json.dumps(undeclared(f"a trigger {classpath!r}"))}
    passed["arguments"] = json.dumps(found.arguments)
    if isinstance(ti, dict) and _starts(found.place, ti.get("dag_id"), ti.get("task_id"), "trigger_kwargs"):
        passed["dag_data"] = _with_trigger(create.get("dag_data"), ti, found.arguments)
        passed["dag_run_data"] = create.get("dag_run_data")
    return passed


def callback(called: dict[str, Any], open_: Unseal) -> dict[str, Any]:
    """A function to call and its arguments, as a deadline of a Dag declared them, with the context Airflow adds."""
    path = str(called.get("path"))
    found = _opened_callback(called, open_)
    if found is None or found.place[1:] != _DEADLINE:
        return {**called, "kwargs": undeclared(f"a callback {path!r}")}
    return {**called, "kwargs": found.arguments}


def dag_of_callback(called: dict[str, Any], open_: Unseal) -> str | None:
    """The Dag whose deadline declared a callback, by the site's seal; None for what no Dag of the site declared."""
    found = _opened_callback(called, open_)
    return found.place[0] if found is not None and found.place[1:] == _DEADLINE else None


def _opened_callback(called: dict[str, Any], open_: Unseal) -> Declared | None:
    try:
        return opened(called.get("kwargs"), open_, str(called.get("path")), added=("context",))
    except CannotOpen:  # no deadline's arguments: those are sealed with the site's key
        return None


def undeclared(what: str) -> dict[str, str]:
    """Arguments that no task environment takes."""
    return {
        UNDECLARED: f"the plane asks for {what}, which it may not have run here: neither a Dag nor a task of this site "
        "declared it with these arguments. They were changed on the way, or were declared with another key than this "
        "agent's, or for another Deployment (give every agent of the site the same site_key_file and `deployment`)"
    }


def cannot_open(what: str, cannot: CannotOpen) -> dict[str, str]:
    """As `undeclared`, of what names the key that sealed it."""
    return {UNDECLARED: f"the plane asks for {what}, and its arguments cannot be opened: {cannot}"}


def why_undeclared(arguments: Any) -> str | None:
    """The reason of `undeclared`; None for other arguments."""
    return str(arguments[UNDECLARED]) if isinstance(arguments, dict) and UNDECLARED in arguments else None


def _with_event(arguments: Any, open_: Unseal, task_instance_id: str, required: Kinds) -> Any:
    """The arguments of a method that resumes, with the event opened that the plane has put beside them."""
    if not isinstance(arguments, dict):
        return arguments
    if set(arguments) == {TYPE, VAR}:
        return {**arguments, VAR: _with_event(arguments[VAR], open_, task_instance_id, required)}
    if "event" not in arguments:
        return arguments
    return {**arguments, "event": opened_event(arguments["event"], open_, task_instance_id, required)}


def _called(arguments: Any, open_: Unseal) -> dict[str, Any]:
    inner = arguments.get(VAR, arguments) if isinstance(arguments, dict) else None
    inner = inner if isinstance(inner, dict) else {}
    path = str(inner.get("callback_path"))
    read = callback({"path": path, "kwargs": inner.get("callback_kwargs")}, open_)["kwargs"]
    if why_undeclared(read):
        return dict(read)
    return {"callback_path": path, "callback_kwargs": read}


def _declares_trigger(found: Declared, ti: Any) -> bool:
    if not isinstance(ti, dict):
        return found.place[:1] == ("asset",)
    return found.place == (str(ti.get("id")), "trigger_kwargs") or _starts(
        found.place, ti.get("dag_id"), ti.get("task_id"), "trigger_kwargs"
    )


def _starts(place: Place, dag_id: Any, task_id: Any, name: str) -> bool:
    """Whether that task, which starts from a trigger, declared it. Its mapped instances share what it declared."""
    return place == (dag_id, "task", task_id, _START, name)


def _with_trigger(data: Any, ti: dict[str, Any], arguments: Any) -> Any:
    """The Dag with the arguments of the task's trigger: Airflow renders those of them that are templates."""
    dag = data.get("dag") if isinstance(data, dict) else None
    if not isinstance(dag, dict) or not isinstance(dag.get("tasks"), list):
        return None
    return {**data, "dag": {**dag, "tasks": [_starting(one, ti, arguments) for one in dag["tasks"]]}}


def _starting(one: Any, ti: dict[str, Any], arguments: Any) -> Any:
    task = one.get(VAR) if isinstance(one, dict) else None
    if not isinstance(task, dict) or task.get("task_id") != ti.get("task_id"):
        return one
    if not isinstance(task.get(_START), dict):
        return one
    names = task.get("template_fields")
    return {
        **one,
        VAR: {
            **task,
            _START: {**task[_START], "trigger_kwargs": arguments},
            "template_fields": names if dag_fields.are_names(names) else [],
        },
    }
