"""What a task that defers, a trigger and a callback pass on leaves sealed, and only what a Dag declared runs."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import uuid4

import pytest

from tradewind_protocol.boundary import (
    Change,
    OwnRun,
    Pass,
    Rules,
    Sealing,
    callback_workload,
    classify,
    decide,
    declare,
    execution_answer,
    triggers_answer,
    why_undeclared,
)
from tradewind_protocol.sessions import Policy

STRICT = Rules()
OPEN = Rules.of(Policy.OPEN)

TI, OTHER_TI = str(uuid4()), str(uuid4())

DEFERRED = {
    "state": "deferred",
    "classpath": "site.Trigger",
    "trigger_kwargs": {"query": "SECRET"},
    "next_method": "resume",
    "next_kwargs": {"handle": "SECRET"},
}


def seal(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def open_(text: str) -> str:
    return base64.urlsafe_b64decode(text.encode()).decode()


def deferral(rules: Rules, deferred: dict[str, Any] = DEFERRED) -> dict[str, Any]:
    """What a deferral is when it has left."""
    found = classify("PATCH", f"/task-instances/{TI}/state")
    assert found is not None
    decision = decide(found, json.dumps(deferred).encode(), rules, Sealing(seal))
    assert isinstance(decision, Change)
    sent: dict[str, Any] = json.loads(decision.body)
    return sent


def resumed(
    method: str, kwargs: Any, *, ti: str = TI, dag: str = "d", task: str = "t", told: str | None = None
) -> Any:
    """What a try of `task` of `dag` resumes with, when the plane says that its run is one of `told`."""
    found = classify("PATCH", f"/task-instances/{ti}/run")
    answer = {"dag_run": {"dag_id": told or dag}, "next_method": method, "next_kwargs": kwargs}
    own = OwnRun(dag, "r", task, 3)
    body = json.dumps(answer).encode()
    return json.loads(execution_answer(found, body, open_, b"", own))["next_kwargs"]


def created(classpath: str, arguments: Any, **more: Any) -> Any:
    create = {"classpath": classpath, "arguments": json.dumps(arguments), **more}
    [one] = json.loads(triggers_answer(json.dumps({"create": [create]}).encode(), open_))["create"]
    return {**one, "arguments": json.loads(one["arguments"])}


def test_what_a_task_passes_on_when_it_defers_leaves_sealed() -> None:
    found = classify("PATCH", f"/task-instances/{TI}/state")
    assert found is not None
    decision = decide(found, json.dumps(DEFERRED).encode(), STRICT, Sealing(seal))
    assert isinstance(decision, Change)
    assert b"SECRET" not in decision.body
    assert decision.carries == ("sealed arguments",)
    assert decide(found, decision.body, STRICT, Sealing(seal)) == Pass(("trigger_kwargs", "next_kwargs"))


@pytest.mark.parametrize("rules", [STRICT, OPEN])
def test_it_comes_back_for_what_it_is_of_and_for_nothing_else(rules: Rules) -> None:
    sent = deferral(rules)
    of_task = {"id": TI, "dag_id": "d", "task_id": "t"}
    # the plane adds the event to the one and gives the other to a triggerer
    kwargs = {**sent["next_kwargs"], "event": {"rows": 3}}
    assert resumed("resume", kwargs) == {"handle": "SECRET", "event": {"rows": 3}}
    assert created("site.Trigger", sent["trigger_kwargs"], ti=of_task)["arguments"] == {"query": "SECRET"}
    # another method, class or task
    assert why_undeclared(resumed("run", kwargs))
    assert why_undeclared(resumed("resume", kwargs, ti=OTHER_TI))
    assert why_undeclared(created("site.Another", sent["trigger_kwargs"], ti=of_task)["arguments"])
    another = {**of_task, "id": OTHER_TI}
    assert why_undeclared(created("site.Trigger", sent["trigger_kwargs"], ti=another)["arguments"])
    assert why_undeclared(created("site.Trigger", sent["trigger_kwargs"], ti=None)["arguments"])


@pytest.mark.parametrize("rules", [STRICT, OPEN])
def test_nothing_that_the_plane_adds_or_changes_counts(rules: Rules) -> None:
    sent = deferral(rules)
    of_task = {"id": TI, "dag_id": "d", "task_id": "t"}
    more = {"handle": "{{ evil }}", "jinja_env": "{{ evil }}"}
    assert resumed("resume", {**sent["next_kwargs"], **more}) == {"handle": "SECRET"}
    told = created("site.Trigger", {**sent["trigger_kwargs"], "query": "{{ evil }}"}, ti=of_task)
    assert told["arguments"] == {"query": "SECRET"}
    # and a plane that leaves the seal away gets nothing run
    assert why_undeclared(resumed("resume", {"handle": "{{ evil }}"}))
    assert why_undeclared(resumed("render_template_fields", {}))
    assert why_undeclared(resumed("resume", None))
    assert why_undeclared(created("site.Trigger", {"query": "{{ evil }}"}, ti=of_task)["arguments"])


def test_a_task_that_deferred_is_not_rendered_as_one_that_starts_from_a_trigger() -> None:
    sent = deferral(STRICT)
    of_task = {"id": TI, "dag_id": "d", "task_id": "t"}
    told = created(
        "site.Trigger", sent["trigger_kwargs"], ti=of_task, dag_data={"dag": {}}, dag_run_data={"conf": {}}
    )
    assert (told["dag_data"], told["dag_run_data"]) == (None, None)


def test_a_method_without_arguments_is_declared_as_well() -> None:
    sent = deferral(STRICT, {"state": "deferred", "classpath": "site.Trigger", "next_method": "resume"})
    assert resumed("resume", {**sent["next_kwargs"], "event": 1}) == {"event": 1}


def test_a_task_whose_trigger_failed_hears_why() -> None:
    assert resumed("__fail__", {"error": "Trigger failure"}) == {"error": "Trigger failure"}


def test_an_answer_that_cannot_be_read_is_none() -> None:
    found = classify("PATCH", f"/task-instances/{TI}/run")
    assert execution_answer(found, b"[" * 100_000, open_) == b"null"
    assert triggers_answer(b'{"create": [' + b"1" * 5_000 + b"]}", open_) == b"null"


def test_it_leaves_as_it_is_at_the_plane_and_readable_where_that_is_open() -> None:
    found = classify("PATCH", f"/task-instances/{TI}/state")
    assert found is not None
    body = json.dumps(DEFERRED).encode()
    assert decide(found, body, STRICT) == Pass(("trigger_kwargs", "next_kwargs"))
    decision = decide(found, body, OPEN, Sealing(seal))
    assert isinstance(decision, Change)
    assert decision.carries == ("trigger_kwargs", "next_kwargs", "sealed arguments")
    assert json.loads(decision.body)["trigger_kwargs"]["query"] == "SECRET"


NOTIFIER = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
CALLBACK_TRIGGER = "airflow.triggers.callback.CallbackTrigger"


def open_dag() -> dict[str, Any]:
    """A Dag under open rules, as it left: its author's text is readable."""
    watcher = {"name": "w", "trigger": {"classpath": "site.Watch", "kwargs": {"path": "/in"}}}
    asset = {"__type": "asset", "name": "a", "uri": "a", "watchers": [watcher]}
    starts = {"trigger_cls": "site.Trigger", "trigger_kwargs": {"path": "{{ ds }}"}, "next_method": "resume"}
    task = {"task_id": "t", "template_fields": ["path"], "start_trigger_args": starts, "outlets": [asset]}
    called = {"__data__": {"path": NOTIFIER, "kwargs": {"subject": "{{ run_id }} is late"}}}
    data = {"dag": {"dag_id": "d", "tasks": [{"__var": task}], "deadline": [{"callback": called}]}}
    declare(data, seal)
    return data


def test_what_an_open_dag_declares_runs_with_its_own_text_whatever_the_plane_makes_of_it() -> None:
    dag = open_dag()["dag"]
    task = dag["tasks"][0]["__var"]
    kwargs = dag["deadline"][0]["callback"]["__data__"]["kwargs"]
    assert kwargs["subject"] == "{{ run_id }} is late"
    evil = {**kwargs, "subject": "{{ evil }}", "context": {"dag_run": {}}}
    own = {"subject": "{{ run_id }} is late", "context": {"dag_run": {}}}
    work = {"callback": {"data": {"path": NOTIFIER, "kwargs": evil}}}
    assert callback_workload(work, open_)["callback"]["data"]["kwargs"] == own
    calls = {"callback_path": NOTIFIER, "callback_kwargs": evil}
    assert created(CALLBACK_TRIGGER, calls)["arguments"] == {
        "callback_path": NOTIFIER,
        "callback_kwargs": own,
    }
    watch = task["outlets"][0]["watchers"][0]["trigger"]
    assert created("site.Watch", {**watch["kwargs"], "path": "/etc"})["arguments"] == {"path": "/in"}
    of_task = {"id": TI, "dag_id": "d", "task_id": "t"}
    told = created(
        "site.Trigger",
        task["start_trigger_args"]["trigger_kwargs"],
        ti=of_task,
        dag_data={"dag": dag},
        dag_run_data={"run_id": "r"},
    )
    assert told["arguments"] == {"path": "{{ ds }}"}
    # Airflow renders what is named here, and the task's own template fields say which of it
    [rendered] = [one["__var"] for one in told["dag_data"]["dag"]["tasks"]]
    assert rendered["start_trigger_args"]["trigger_kwargs"] == {"path": "{{ ds }}"}
    assert told["dag_run_data"] == {"run_id": "r"}


@pytest.mark.parametrize(
    "data",
    [
        {"path": NOTIFIER, "kwargs": {"subject": "{{ evil }}"}},
        {"path": NOTIFIER, "kwargs": {}},
        {"path": NOTIFIER},
    ],
)
def test_a_callback_that_no_dag_declared_is_none(data: dict[str, Any]) -> None:
    work = callback_workload({"callback": {"data": data}}, open_)
    assert why_undeclared(work["callback"]["data"]["kwargs"])
    calls = {"callback_path": data["path"], "callback_kwargs": data.get("kwargs")}
    assert why_undeclared(created(CALLBACK_TRIGGER, calls)["arguments"])


def test_what_one_place_declared_is_nothing_for_another() -> None:
    dag = open_dag()["dag"]
    starts = dag["tasks"][0]["__var"]["start_trigger_args"]
    assert why_undeclared(created("site.Trigger", starts["trigger_kwargs"])["arguments"])  # a watcher
    other_dag = {"id": TI, "dag_id": "other", "task_id": "t"}
    assert why_undeclared(created("site.Trigger", starts["trigger_kwargs"], ti=other_dag)["arguments"])
    assert resumed("resume", starts["next_kwargs"]) == {}
    assert why_undeclared(resumed("resume", starts["next_kwargs"], dag="other"))
    assert why_undeclared(resumed("resume", starts["next_kwargs"], task="another"))
    assert why_undeclared(resumed("resume", starts["next_kwargs"], dag="other", told="d"))
    work = {"callback": {"data": {"path": "site.Trigger", "kwargs": starts["trigger_kwargs"]}}}
    assert why_undeclared(callback_workload(work, open_)["callback"]["data"]["kwargs"])
