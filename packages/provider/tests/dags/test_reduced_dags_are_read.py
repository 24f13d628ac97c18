"""Serialized Dags without their authors' text: nothing of it is left, and Airflow schedules by them as by the whole."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import airflow.example_dags
import airflow.providers.standard.example_dags
import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.serialized_objects import DagSerialization

from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol import boundary
from tradewind_protocol.boundary import KeptField, is_notice, keyed, not_reduced, reduced
from tradewind_protocol.errors import Code

from .conftest import Parsed, Site, parse_file

MARKED = Path(__file__).parents[4] / "tests" / "on_airflow" / "dags_marked" / "everywhere.py"
KEY = SiteKey(b"of one site")
DIGEST = KEY.digest
Data = dict[str, Any]


def serialized(*files: Path) -> dict[str, Data]:
    found: dict[str, Data] = {}
    for file in files:
        bag = BundleDagBag(
            dag_folder=str(file), bundle_path=file.parent, bundle_name="main", load_op_links=False
        )
        assert not bag.import_errors
        for dag in bag.dags.values():
            found[dag.dag_id] = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    return found


@pytest.fixture(scope="module")
def marked() -> Data:
    return serialized(MARKED)["everywhere"]


@pytest.fixture(scope="module")
def examples() -> dict[str, Data]:
    places = [
        Path(next(iter(one.__path__)))
        for one in (airflow.example_dags, airflow.providers.standard.example_dags)
    ]
    files = [
        file
        for place in places
        for file in sorted(place.glob("*.py"))
        # their timetables and weight rules are plugins, which this Airflow does not have
        if not any(word in file.name for word in ("kubernetes", "weight", "workday", "timetable", "__init__"))
        and "plugins" not in file.read_text()
    ]
    return serialized(*files)


def test_nothing_an_author_wrote_is_left(marked: Data) -> None:
    whole = json.dumps(marked)
    assert whole.count("SECRET") > 50
    assert "SECRET" not in json.dumps(reduced(marked, DIGEST, seal=KEY.seal).data)
    assert "SECRET" not in json.dumps(reduced(marked, DIGEST).data)


def test_each_place_in_which_an_author_can_write_is_in_the_dag_of_this_test(marked: Data) -> None:
    """Whoever adds a field to the Dag sees here whether it held a text; a new field of Airflow's is one to add."""
    replaced = {place.split()[-1] for place in reduced(marked, DIGEST).replaced}
    assert replaced >= {
        *(
            "bash_command",
            "env",
            "cwd",
            "doc",
            "doc_md",
            "doc_json",
            "doc_yaml",
            "doc_rst",
            "executor_config",
        ),
        *("map_index_template", "query", "options", "op_args", "op_kwargs", "templates_dict", "conf"),
        *(
            "python_callable_name",
            "default",
            "description",
            "default_args",
            "owner_links",
            "email",
            "tooltip",
        ),
        *(
            "extra",
            "callables",
            "fillvalue",
            "external_dag_id",
            "kwargs",
            "trigger_kwargs",
            "next_kwargs",
            "files",
        ),
    }


def test_what_the_plane_schedules_by_is_the_same(marked: Data, examples: dict[str, Data]) -> None:
    assert len(examples) > 70
    for dag_id, data in {**examples, "everywhere": marked}.items():
        small = reduced(data, DIGEST, seal=KEY.seal).data
        DagSerialization.validate_schema(small)
        assert facts(small) == facts(data), dag_id


def facts(data: Data) -> Any:
    """All that Airflow's scheduler reads of a Dag."""
    dag = DagSerialization.from_dict(copy.deepcopy(data))
    return (
        (dag.dag_id, dag.catchup, dag.tags, dag.start_date, dag.max_active_runs, sorted(dag.params)),
        (
            type(dag.timetable),
            dag.timetable.summary,
            dag.dagrun_timeout,
            dag.fail_fast,
            len(dag.deadline or ()),
        ),
        [
            (
                (task.task_id, task.task_type, task.operator_name, task.task_display_name, task.owner),
                (sorted(task.upstream_task_ids), sorted(task.downstream_task_ids), str(task.trigger_rule)),
                (task.pool, task.pool_slots, task.queue, task.priority_weight, type(task.weight_rule)),
                (task.retries, task.retry_delay, task.max_retry_delay, task.execution_timeout),
                (task.start_date, task.end_date, task.depends_on_past, task.wait_for_downstream),
                (task.is_setup, task.is_teardown, task.on_failure_fail_dagrun, task.start_from_trigger),
                (sorted(map(str, map(type, task.deps))), getattr(task, "reschedule", None)),
                (task.inherits_from_empty_operator, task.inherits_from_skipmixin, list(task.template_fields)),
                ([names(one) for one in task.outlets], [names(one) for one in task.inlets]),
                lengths(task),
                task.task_group.group_id if task.task_group is not None else None,
            )
            for task in dag.tasks
        ],
        sorted(str(group) for group in dag.task_group.get_task_group_dict()),
    )


def names(asset: Any) -> tuple[Any, ...]:
    return (
        type(asset),
        getattr(asset, "name", None),
        getattr(asset, "uri", None),
        len(getattr(asset, "watchers", ())),
    )


def lengths(task: Any) -> Any:
    if not task.is_mapped:
        return None
    references = sorted(one.task_id for one in task.iter_mapped_dependencies())
    try:
        return task.get_parse_time_mapped_ti_count(), references
    except Exception as not_yet:
        return str(not_yet), references


def test_what_is_reduced_stays_as_it_is_and_needs_no_key_to_be_told(
    examples: dict[str, Data], marked: Data
) -> None:
    for data in [*examples.values(), marked]:
        once = reduced(data, DIGEST, seal=KEY.seal).data
        assert reduced(once, keyed(b"of another")) == boundary.ReducedDag(once, ())
        assert not_reduced(once) == ()
    assert "task first bash_command" in not_reduced(marked)


def changed(data: Data, field: str, value: Any) -> Data:
    other = copy.deepcopy(data)
    next(one for one in other["dag"]["tasks"] if one["__var"]["task_id"] == "first")["__var"][field] = value
    return other


def test_a_version_changes_when_the_text_does_and_only_then(marked: Data) -> None:
    def version(data: Data) -> str:
        return SerializedDagModel.hash(copy.deepcopy(reduced(data, DIGEST, seal=KEY.seal).data))

    assert version(marked) == version(copy.deepcopy(marked))
    assert version(changed(marked, "bash_command", "echo SECRET-other")) != version(marked)
    assert version(changed(marked, "doc_md", "another")) != version(marked)
    assert version(changed(marked, "executor_config", {"__type": "dict", "__var": {}})) != version(marked)
    moved = copy.deepcopy(marked)
    moved["dag"]["_processor_dags_folder"] = "/another/agents/dags"
    assert version(moved) == version(marked)


def test_a_digest_tells_nothing_without_the_sites_key_nor_that_two_texts_are_equal(marked: Data) -> None:
    same = changed(changed(marked, "cwd", "one text"), "doc", "one text")
    first = next(
        one["__var"]
        for one in reduced(same, DIGEST).data["dag"]["tasks"]
        if one["__var"]["task_id"] == "first"
    )
    other = next(
        one["__var"]
        for one in reduced(same, keyed(b"another")).data["dag"]["tasks"]
        if one["__var"]["task_id"] == "first"
    )
    assert is_notice(first["cwd"]) and is_notice(first["doc"])
    assert len({first["cwd"], first["doc"], other["cwd"]}) == 3


def test_an_owner_lets_named_fields_leave(marked: Data) -> None:
    kept = [
        KeptField.parse(text)
        for text in ("BashOperator:bash_command", "dag:doc_md", "param:pass*", "*Anything:q*")
    ]
    small = reduced(marked, DIGEST, kept).data
    by_id = {one["__var"]["task_id"]: one["__var"] for one in small["dag"]["tasks"]}
    assert by_id["first"]["bash_command"] == "echo SECRET-FIELD-command"
    assert by_id["own"]["query"] == "select SECRET-FIELD-query"
    assert dict(small["dag"]["params"])["password"]["default"] == "SECRET-FIELD-param"
    assert is_notice(by_id["first"]["env"])
    assert is_notice(dict(small["dag"]["params"])["plain"]["default"])


@pytest.mark.parametrize("text", ["bash_command", ":x", "BashOperator:", ""])
def test_an_exception_that_names_no_field_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no field"):
        KeptField.parse(text)


def test_a_run_can_be_started_with_the_form_as_it_is_and_the_site_takes_its_own_defaults(
    marked: Data,
) -> None:
    params = DagSerialization.from_dict(copy.deepcopy(reduced(marked, DIGEST).data)).params
    filled_in = params.validate()  # as Airflow does before it makes a run
    assert filled_in["rows"] == 10
    assert filled_in["day"] == "2026-01-01"
    assert filled_in["region"] == "eu"
    assert params.get_param("password").description == "What to sign in with."
    assert boundary.without_notices({**filled_in, "plain": "typed by a person"}) == {
        "rows": 10,
        "day": "2026-01-01",
        "region": "eu",
        "plain": "typed by a person",
    }
    answer = json.dumps({"dag_run": {"conf": filled_in}, "next_kwargs": None}).encode()
    assert json.loads(boundary.for_site(answer))["dag_run"]["conf"] == {
        "rows": 10,
        "day": "2026-01-01",
        "region": "eu",
    }


def test_only_the_site_reads_what_the_plane_hands_back_and_only_for_what_it_is_of(marked: Data) -> None:
    dag = reduced(marked, DIGEST, seal=KEY.seal).data["dag"]
    start = next(one["__var"] for one in dag["tasks"] if one["__var"]["task_id"] == "own")[
        "start_trigger_args"
    ]
    whole = next(one["__var"] for one in marked["dag"]["tasks"] if one["__var"]["task_id"] == "own")[
        "start_trigger_args"
    ]

    ti = {"id": "ti", "dag_id": "everywhere", "task_id": "own"}

    def created(classpath: str, open_: boundary.Unseal = KEY.open) -> Any:
        create = {"classpath": classpath, "arguments": json.dumps(start["trigger_kwargs"]), "ti": ti}
        [told] = json.loads(boundary.triggers_answer(json.dumps({"create": [create]}).encode(), open_))[
            "create"
        ]
        return json.loads(told["arguments"])

    def resumed(method: str) -> Any:
        answer = {
            "dag_run": {"dag_id": "everywhere"},
            "next_method": method,
            "next_kwargs": start["next_kwargs"],
        }
        found = boundary.classify("PATCH", "/task-instances/ti/run")
        own = boundary.OwnRun("everywhere", "r", "own")
        body = json.dumps(answer).encode()
        return json.loads(boundary.execution_answer(found, body, KEY.open, b"", own))["next_kwargs"]

    assert created(start["trigger_cls"]) == whole["trigger_kwargs"]
    assert boundary.why_undeclared(created("airflow.providers.standard.triggers.file.FileTrigger"))
    assert boundary.why_undeclared(created(start["trigger_cls"], SiteKey(b"of another site").open))
    assert resumed("resume") == whole["next_kwargs"]
    assert boundary.why_undeclared(resumed("print"))
    called = dag["deadline"][0]["callback"]["__data__"]
    with_context = {**called, "kwargs": {**called["kwargs"], "context": {"dag_run": {}}}}
    work = boundary.callback_workload({"callback": {"data": with_context}}, KEY.open)
    assert work["callback"]["data"]["kwargs"] == {
        "text": "SECRET-FIELD-deadline",
        "context": {"dag_run": {}},
    }


def test_two_dags_that_name_one_asset_say_the_same_of_it(marked: Data) -> None:
    other = copy.deepcopy(marked)
    other["dag"]["dag_id"] = "elsewhere"

    def extra(data: Data) -> Any:
        [asset] = next(assets_of(reduced(data, DIGEST).data["dag"]["tasks"]))
        return asset["__var"]["extra"]

    assert is_notice(extra(marked))
    assert extra(marked) == extra(other)


def assets_of(tasks: list[Data]) -> Iterator[list[Data]]:
    return (one["__var"]["outlets"] for one in tasks if one["__var"].get("outlets"))


def test_a_strict_sites_dag_that_is_not_reduced_is_refused_and_named(site: Site, marked: Data) -> None:
    site.claim("main")
    file = parse_file(MARKED.parent, MARKED)
    told = site.report(files=(file.model_copy(update={"dags": (neutral(marked),)}),))
    [refused] = told.refused
    assert refused.refusal.error is Code.POLICY_REFUSED
    assert "'everywhere'" in refused.refusal.message
    assert "strict data policy" in refused.refusal.message
    assert "SECRET" not in refused.refusal.message


def test_it_is_stored_once_it_is_reduced(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    told = site.report(files=(parse_file(MARKED.parent, MARKED),))
    assert not told.refused


def neutral(data: Data) -> Data:
    return {
        **data,
        "dag": {**data["dag"], "relative_fileloc": MARKED.name, "fileloc": f"/dev/null/main/{MARKED.name}"},
    }
