"""What a serialized Dag says fits Airflow's columns and the scheduler's arithmetic, or it is an import error of its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.serialization.serialized_objects import DagSerialization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradewind_protocol.errors import Code
from tradewind_provider.airflow import dag_bounds

from .conftest import Parsed, Site
from .test_what_a_site_reports_is_stored import errors, tasks

TEXT = """
from airflow.sdk import DAG, Asset, Param
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG("one", schedule=None, params={"p": Param(1, type="integer")}, tags=["t"]):
    EmptyOperator(task_id="a", outlets=[Asset(name="n", uri="file:///x")])
"""

SET_BY_THE_PLANE = {
    "run_id", "try_number", "hostname", "unixname", "map_index", "dag_version_id", "context_carrier", "executor_config",
    "run_as_user",
}  # fmt: skip
"""Columns of a new task instance that a Dag does not fill, or that have no limit."""


def task(field: str) -> Callable[[dict[str, Any], Any], None]:
    return lambda dag, value: dag["tasks"][0]["__var"].__setitem__(field, value)


def dag(field: str) -> Callable[[dict[str, Any], Any], None]:
    return lambda dag, value: dag.__setitem__(field, value)


def outlet(field: str) -> Callable[[dict[str, Any], Any], None]:
    return lambda dag, value: dag["tasks"][0]["__var"]["outlets"][0]["__var"].__setitem__(field, value)


HUGE = 2**40
CASES: list[tuple[str, Callable[[dict[str, Any], Any], None], Any, str]] = [
    ("pool_slots", task("pool_slots"), HUGE, "pool_slots is"),
    ("no pool_slots", task("pool_slots"), 0, "less than 1"),
    ("negative pool_slots", task("pool_slots"), -5, "less than 1"),
    ("retries", task("retries"), HUGE, "retries is"),
    ("negative retries", task("retries"), -1, "less than 0"),
    ("no retries", task("retries"), None, "retries is missing"),
    ("half a retry", task("retries"), 1.5, "not a whole number"),
    ("priority_weight", task("priority_weight"), HUGE, "priority_weight is"),
    ("negative priority_weight", task("priority_weight"), -HUGE, "priority_weight is"),
    ("queue", task("queue"), "q" * 257, "queue has 257 characters"),
    ("pool", task("pool"), "p" * 257, "pool has 257 characters"),
    ("task type", task("task_type"), "T" * 1001, "task_type has 1001 characters"),
    ("operator name", task("_operator_name"), "T" * 1001, "operator_name has 1001"),
    ("task display name", task("_task_display_name"), "T" * 2001, "task_display_name has 2001"),
    ("NUL", task("queue"), "a\0b", "holds a NUL"),
    ("retry_delay", task("retry_delay"), 1e13, "retry_delay is"),
    ("execution_timeout", task("execution_timeout"), 1e13, "execution_timeout is"),
    ("task limit", task("max_active_tis_per_dag"), HUGE, "max_active_tis_per_dag is"),
    ("end of the calendar", dag("start_date"), 253_000_000_000.0, "start_date is in the year"),
    ("display name", dag("dag_display_name"), "d" * 2001, "dag_display_name has 2001"),
    ("max_active_runs", dag("max_active_runs"), HUGE, "max_active_runs is"),
    ("max_active_tasks", dag("max_active_tasks"), HUGE, "max_active_tasks is"),
    ("tag", dag("tags"), ["t" * 101], "tags has 101"),
    ("dagrun_timeout", dag("dagrun_timeout"), 1e13, "dagrun_timeout is"),
    ("owner's link", dag("owner_links"), {"ada": "javascript:alert(1)"}, "not an http, https or mailto link"),
    ("asset name", outlet("name"), "n" * 1501, "asset name has 1501"),
    ("asset uri", outlet("uri"), "file:///" + "n" * 1500, "asset uri has"),
    ("asset group", outlet("group"), "n" * 1501, "asset group has"),
]


@pytest.mark.parametrize(
    ("change", "value", "said"), [one[1:] for one in CASES], ids=[one[0] for one in CASES]
)
def test_what_does_not_fit_is_an_import_error_that_names_the_field(
    site: Site, parsed: Parsed, change: Callable[[dict[str, Any], Any], None], value: Any, said: str
) -> None:
    site.claim("main")
    file = parsed("one.py", TEXT)
    data = json.loads(json.dumps(file.dags[0]))
    change(data["dag"], value)
    told = site.report(files=(file.model_copy(update={"dags": (data,)}),))
    assert [one.refusal.error for one in told.refused] == [Code.MALFORMED]
    assert said in errors()["one.py"]
    assert not site.report(files=(file.model_copy(update={"content": "ab"}),)).refused  # mended
    assert (tasks("one"), errors()) == (["a"], {})


def test_priorities_that_only_fit_one_by_one_are_refused(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    text = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG("one", schedule=None):
    before = None
    for number in range(3):
        task = EmptyOperator(task_id=f"t{number}", priority_weight=2**30)
        before and before >> task
        before = task
"""
    assert site.report(files=(parsed("one.py", text),)).refused
    assert "the sum of priority_weight" in errors()["one.py"]


@pytest.mark.parametrize(("size", "taken"), [(100, True), (101, False)])
def test_literal_values_expand_to_so_many_task_instances_and_no_more(
    site: Site, parsed: Parsed, size: int, taken: bool
) -> None:
    site.claim("main")
    text = f"""
from airflow.sdk import dag, task
@dag(schedule=None)
def one():
    @task
    def t(a, b): ...
    t.expand(a=list(range({size})), b=list(range(100)))
one()
"""
    told = site.report(files=(parsed("one.py", text),))
    assert bool(told.refused) is not taken
    if not taken:
        assert "expand makes 10100 task instances" in errors()["one.py"]


def test_a_param_whose_schema_is_elsewhere_is_not_fetched(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    file = parsed("one.py", TEXT)
    data = json.loads(
        json.dumps(file.dags[0]).replace('"type": "integer"', '"$ref": "http://127.0.0.1:9/x.json"')
    )
    assert "$ref" in json.dumps(data)
    assert site.report(files=(file.model_copy(update={"dags": (data,)}),)).refused
    assert "refers to 'http://127.0.0.1:9/x.json'" in errors()["one.py"]


def test_every_column_that_a_dag_fills_of_a_task_instance_is_checked(parsed: Parsed) -> None:
    """A later Airflow that takes one more value from the Dag fails here."""
    [data] = parsed("one.py", TEXT).dags
    [operator] = DagSerialization.from_dict(data).tasks
    made = TaskInstance.insert_mapping("r", operator, -1, dag_version_id=None, dag_run=DagRun(dag_id="one"))
    checked = {column.key for column in dag_bounds.OF_TASK.values()}
    assert set(made) - SET_BY_THE_PLANE <= checked


_NAMES = st.sampled_from(
    ["pool_slots", "retries", "priority_weight", "queue", "pool", "task_type", "_task_display_name", "retry_delay",
     "executor", "owner", "trigger_rule", "weight_rule", "max_active_tis_per_dag", "execution_timeout", "start_date",
     "params", "executor_config", "retry_exponential_backoff", "max_retry_delay", "map_index_template"]
)  # fmt: skip
_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(min_value=-(2**70), max_value=2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3000), st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=5), st.integers()),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=4))
def test_what_is_accepted_makes_a_row(site: Site, parsed: Parsed, changes: dict[str, Any]) -> None:
    """Whatever is written into a task: it is refused, or every value of its task instance has room in its column."""
    site.claim("main")
    file = parsed("one.py", TEXT)
    data = json.loads(json.dumps(file.dags[0]))
    data["dag"]["tasks"][0]["__var"].update(changes)
    told = site.report(files=(file.model_copy(update={"dags": (data,), "content": "ab"}),))
    if told.refused:
        return
    [operator] = DagSerialization.from_dict(data).tasks
    made = TaskInstance.insert_mapping("r", operator, -1, dag_version_id=None, dag_run=DagRun(dag_id="one"))
    for name, value in made.items():
        if (column := TaskInstance.__mapper__.c.get(name)) is None:
            continue  # "run_as_user" is an attribute, and no column
        length = getattr(column.type, "length", None)
        if isinstance(value, str) and length is not None:
            assert len(value) <= length, name
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            assert abs(value) <= 2**31, name
        assert value is not None or column.nullable, name
