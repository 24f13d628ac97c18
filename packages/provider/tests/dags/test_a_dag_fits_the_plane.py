"""What a serialized Dag says fits Airflow's columns and the scheduler's arithmetic, or it is an import error of its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.exceptions import ParamValidationError
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.serialization.serialized_objects import BaseSerialization, DagSerialization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradewind_protocol.errors import Code
from tradewind_provider.airflow import dag_bounds
from tradewind_provider.airflow.database import create_session

from .conftest import Clock, Parsed, Site
from .reported import errors, tasks

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


def several(what: str, number: int, one: str) -> dict[str, Any]:
    """A timetable inside another, as `AssetOrTimeSchedule` has it."""
    inner = {
        "__type": "airflow.timetables.trigger.MultipleCronTriggerTimetable",
        "__var": {what: [one] * number},
    }
    return {"__type": "airflow.timetables.assets.AssetOrTimeSchedule", "__var": {"timetable": inner}}


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
    (
        "many cron expressions",
        dag("timetable"),
        several("expressions", 101, "0 0 * * *"),
        "expressions has 101 entries",
    ),
    (
        "many dates",
        dag("timetable"),
        several("event_dates", 10_001, "2030-01-01T00:00:00+00:00"),
        "event_dates has 10001 entries",
    ),
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


SCHEDULED = TEXT.replace("schedule=None", "schedule='@daily'")

SLOW = {"pattern": "^(a+)+$"}
SCHEMAS: dict[str, dict[str, Any]] = {
    "a pattern": SLOW,
    "a pattern in an item": {"type": "array", "items": SLOW},
    "a pattern of names": {"type": "object", "patternProperties": {"^(a+)+$": {}}},
    "a pattern in a choice": {"anyOf": [SLOW, {"type": "null"}]},
    "a pattern by reference": {"$ref": "#/$defs/slow", "$defs": {"slow": SLOW}},
    "references that double": {
        "$ref": "#/$defs/d0",
        "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": {}},
    },
    "a reference to itself": {"$ref": "#"},
}  # fmt: skip


def with_param(data: dict[str, Any], schema: Any, default: Any) -> dict[str, Any]:
    changed = json.loads(json.dumps(data))
    param = {
        "__class": "airflow.sdk.definitions.param.Param",
        "default": default,
        "description": None,
        "schema": schema,
        "source": None,
    }
    param["schema"], param["default"] = (
        BaseSerialization.serialize(schema),
        BaseSerialization.serialize(default),
    )
    changed["dag"]["params"] = [["p", param]]
    return changed


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
@pytest.mark.parametrize(
    "value", ["a" * 5000 + "!", ["a" * 5000 + "!"], {"a" * 5000 + "!": 1}], ids=["text", "list", "map"]
)
def test_a_params_schema_costs_the_plane_little(
    schema: dict[str, Any], value: Any, site_open: Site, parsed: Parsed
) -> None:
    """The plane keeps the schema without what is costly. The site validates with the whole one."""
    site_open.claim("main")
    file = parsed("one.py", TEXT, reduce=False)
    data = with_param(file.dags[0], schema, value)
    site_open.report(files=(file.model_copy(update={"dags": (data,)}),))
    assert errors() == {}
    with create_session() as db:
        dag = DBDagBag().get_latest_version_of_dag("one", session=db)
    assert dag is not None
    if schema.get("type", "array") != "array" and isinstance(value, (str, list)):
        with pytest.raises(ParamValidationError):
            dag.params.validate()
    dag.params.deep_merge({"p": value}).dump()


def test_names_of_properties_are_no_keywords(site_open: Site, parsed: Parsed) -> None:
    site_open.claim("main")
    file = parsed("one.py", TEXT, reduce=False)
    schema = {
        "type": "object",
        "properties": {"pattern": {"type": "string", "pattern": "x"}},
        "enum": [{"pattern": "x"}],
    }
    data = with_param(file.dags[0], schema, {"pattern": "x"})
    site_open.report(files=(file.model_copy(update={"dags": (data,)}),))
    with create_session() as db:
        dag = DBDagBag().get_latest_version_of_dag("one", session=db)
    assert dag is not None
    kept = dag.params.get_param("p").schema
    assert kept == {
        "type": "object",
        "properties": {"pattern": {"type": "string"}},
        "enum": [{"pattern": "x"}],
    }


@pytest.mark.parametrize(
    ("schema", "default", "said"),
    [
        ({"anyOf": [{"const": n} for n in range(500)]}, list(range(500)), "steps to validate"),
        ({"uniqueItems": True}, [{"a": n} for n in range(400)], "steps to validate"),
        ({"type": "integer"}, "x", "Invalid input for param p"),
    ],
    ids=["many choices", "unique maps", "of another type"],
)
def test_a_default_that_a_scheduled_run_cannot_take_is_an_import_error(
    schema: Any, default: Any, said: str, site_open: Site, parsed: Parsed
) -> None:
    """A run that an asset starts is made outside of what Airflow's scheduler survives."""
    site_open.claim("main")
    file = parsed("one.py", SCHEDULED, reduce=False)
    data = with_param(file.dags[0], schema, default)
    assert site_open.report(files=(file.model_copy(update={"dags": (data,)}),)).refused
    assert said in errors()["one.py"]


DEADLINE = {
    "reference": {"reference_type": "DagRunQueuedAtDeadline"},
    "interval": 3600.0,
    "callback": {
        "__classname__": "airflow.sdk.definitions.callback.SyncCallback",
        "__version__": 0,
        "__data__": {"path": "site.late", "kwargs": {}},
    },
}
OLD_STYLE = {
    "__type": "airflow.sdk.definitions.callback.SyncCallback",
    "__var": {"path": "os.system", "kwargs": {"command": "id"}, "executor": "LocalExecutor"},
}
DEADLINES: dict[str, Any] = {
    "a callback that Airflow reads in another way": {"callback": {**DEADLINE["callback"], **OLD_STYLE}},  # type: ignore[dict-item]
    "a callback with more": {"callback": {**DEADLINE["callback"], "more": 1}},  # type: ignore[dict-item]
    "a callback of an argument that is an object": {
        "callback": {
            **DEADLINE["callback"],
            "__data__": {
                "path": "x",
                "kwargs": {
                    "a": {
                        "__classname__": "airflow.models.connection.Connection",
                        "__version__": 0,
                        "__data__": {},
                    }
                },
            },
        }  # type: ignore[dict-item]
    },
    "an endless interval": {"interval": 1e300},
    "an interval of 200 years": {"interval": 200 * 365.25 * 86400},
    "no interval": {"interval": None},
    "an interval of the plane's variable": {
        "interval": {
            "__classname__": "airflow.sdk.definitions.deadline.VariableInterval",
            "__version__": 0,
            "__data__": {"key": "k"},
        }
    },
    "no reference": {"reference": {}},
    "a reference to a class": {"reference": {"reference_type": "x", "__class_path": "os.system"}},
    "an average of 2^80 runs": {"reference": {"reference_type": "AverageRuntimeDeadline", "max_runs": 2**80}},
    "an average of no runs": {"reference": {"reference_type": "AverageRuntimeDeadline", "max_runs": 0}},
    "a date that is none": {"reference": {"reference_type": "FixedDatetimeDeadline", "datetime": 1e15}},
    "a long name": {"name": "n" * 251},
    "a field of its own": {"id": "x"},
}


@pytest.mark.parametrize("change", DEADLINES.values(), ids=DEADLINES.keys())
def test_a_deadline_that_the_scheduler_would_fail_at_is_an_import_error(
    change: dict[str, Any], site_open: Site, parsed: Parsed
) -> None:
    site_open.claim("main")
    file = parsed("one.py", TEXT, reduce=False)
    data = json.loads(json.dumps(file.dags[0]))
    data["dag"]["deadline"] = [{**DEADLINE, **change}]
    assert site_open.report(files=(file.model_copy(update={"dags": (data,)}),)).refused, errors()
    data["dag"]["deadline"] = [DEADLINE]
    assert not site_open.report(files=(file.model_copy(update={"dags": (data,), "content": "ab"}),)).refused
    for several in ([DEADLINE] * 101, DEADLINE, ["an id"], "x"):
        data["dag"]["deadline"] = several
        assert site_open.report(files=(file.model_copy(update={"dags": (data,), "content": "ac"}),)).refused


@pytest.fixture
def site_open(clock: Clock) -> Site:
    """What it reports is stored as it is: nothing was kept at the site."""
    return Site(clock, policy="open")


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
