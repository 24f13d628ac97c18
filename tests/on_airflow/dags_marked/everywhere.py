"""A Dag with text of its author's wherever Airflow lets one write. Each text holds a mark; names and schemas do not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import (
    DAG,
    Asset,
    AssetWatcher,
    AsyncCallback,
    BaseOperator,
    Context,
    DeadlineAlert,
    DeadlineReference,
    Param,
    TaskGroup,
    task,
    task_group,
)
from airflow.triggers.base import StartTriggerArgs


class Anything(BaseOperator):
    """An operator of the site's own."""

    template_fields = ("query", "options")
    template_fields_renderers = {"query": "sql"}
    start_trigger_args = StartTriggerArgs(
        trigger_cls="airflow.providers.standard.triggers.temporal.TimeDeltaTrigger",
        trigger_kwargs={"delta": timedelta(seconds=1), "note": "SECRET-FIELD-start-trigger"},
        next_method="resume",
        next_kwargs={"note": "SECRET-FIELD-next-kwargs"},
    )
    start_from_trigger = True

    def __init__(self, *, query: Any = None, options: Any = None, **rest: Any) -> None:
        super().__init__(**rest)
        self.query = query
        self.options = options

    def execute(self, context: Context) -> None: ...


async def too_late(**kwargs: Any) -> None: ...


watched = Asset(
    "watched",
    uri="s3://bucket/watched",
    extra={"note": "SECRET-FIELD-asset-extra"},
    watchers=[
        AssetWatcher(
            name="files", trigger=FileDeleteTrigger(filepath="/SECRET-FIELD-watched-file", poke_interval=5.0)
        )
    ],
)

with DAG(
    "everywhere",
    schedule=[watched],
    start_date=datetime(2026, 1, 1),
    description="SECRET-FIELD-description",
    doc_md="SECRET-FIELD-doc of the Dag",
    default_args={"owner": "ada", "retries": 2, "email": "SECRET-FIELD-email@example.com"},
    owner_links={"ada": "https://SECRET-FIELD-owner-link.example.com"},
    tags=["one", "two"],
    params={
        "password": Param(
            "SECRET-FIELD-param", type="string", minLength=3, description="What to sign in with."
        ),
        "rows": Param(10, type="integer", minimum=1),
        "day": Param("2026-01-01", type="string", format="date"),
        "region": Param("eu", type="string", enum=["eu", "us"]),
        "names": Param(["SECRET-FIELD-in-a-list"], type="array"),
        "nested": Param({"key": "SECRET-FIELD-in-a-map"}, type="object"),
        "plain": "SECRET-FIELD-plain",
    },
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=1),
        callback=AsyncCallback(too_late, kwargs={"text": "SECRET-FIELD-deadline"}),
    ),
) as everywhere:
    first = BashOperator(
        task_id="first",
        bash_command="echo SECRET-FIELD-command",
        env={"TOKEN": "SECRET-FIELD-env"},
        cwd="/SECRET-FIELD-cwd",
        doc_md="SECRET-FIELD-doc_md",
        doc="SECRET-FIELD-doc",
        doc_json="SECRET-FIELD-doc_json",
        doc_yaml="SECRET-FIELD-doc_yaml",
        doc_rst="SECRET-FIELD-doc_rst",
        executor_config={"SECRET-FIELD-executor-key": "SECRET-FIELD-executor-config"},
        map_index_template="SECRET-FIELD-map-index {{ ti.map_index }}",
        outlets=[watched],
        pool="small",
        queue="reports",
        retries=3,
        retry_delay=timedelta(seconds=7),
        execution_timeout=timedelta(minutes=2),
        priority_weight=5,
        trigger_rule="all_done",
        params={"inner": "SECRET-FIELD-param-of-a-task"},
    )
    own = Anything(task_id="own", query="select SECRET-FIELD-query", options={"a": ["SECRET-FIELD-option"]})
    called = PythonOperator(
        task_id="called",
        python_callable=lambda *_, **__: None,
        op_args=["SECRET-FIELD-op-arg"],
        op_kwargs={"key": "SECRET-FIELD-op-kwarg"},
        templates_dict={"q": "SECRET-FIELD-templates-dict"},
    )
    chosen = BranchPythonOperator(task_id="chosen", python_callable=lambda: "SECRET-FIELD-branch")
    another = TriggerDagRunOperator(
        task_id="another", trigger_dag_id="other", conf={"key": "SECRET-FIELD-conf"}, note="SECRET-FIELD-note"
    )
    waits = ExternalTaskSensor(
        task_id="waits",
        external_dag_id="other",
        external_task_id="x",
        poke_interval=5,
        mode="reschedule",
        allowed_states=["success"],
    )

    @task
    def listed() -> list[int]:
        return [1, 2]

    @task(map_index_template="SECRET-FIELD-map-label {{ x }}")
    def each(x: Any, y: Any = None) -> Any:
        return x

    literal = each.partial(y="SECRET-FIELD-partial").expand(
        x=["SECRET-FIELD-a", "SECRET-FIELD-b", "SECRET-FIELD-c"]
    )
    mapped = each.override(task_id="mapped").expand(x=listed().map(lambda one: f"SECRET-FIELD-mapped {one}"))
    by_kwargs = BashOperator.partial(
        task_id="by_kwargs", doc_md="SECRET-FIELD-doc-of-mapped", env={"A": "SECRET-FIELD-partial-env"}
    ).expand_kwargs(
        [
            {"bash_command": "SECRET-FIELD-1"},
            {"bash_command": "SECRET-FIELD-2", "env": {"B": "SECRET-FIELD-env-of-kwargs"}},
        ]
    )
    zipped = each.override(task_id="zipped").expand(x=listed().zip(listed(), fillvalue="SECRET-FIELD-fill"))

    with TaskGroup("group", tooltip="SECRET-FIELD-tooltip", doc_md="SECRET-FIELD-doc-of-a-group"):
        BashOperator(task_id="inside", bash_command="SECRET-FIELD-inside")

    @task_group(tooltip="SECRET-FIELD-mapped-tooltip")
    def grouped(n: Any) -> None:
        each.override(task_id="in_group")(n)

    grouped.expand(n=["SECRET-FIELD-g1", "SECRET-FIELD-g2"])

    first >> own >> called >> chosen >> [another, waits]
