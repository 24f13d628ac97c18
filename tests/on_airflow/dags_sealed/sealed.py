"""Dags that put a marked value into each kind of data that the plane keeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import site_journal
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Asset, AssetAlias, BaseOperator, Metadata, task
from sealed_triggers import Ends, Repeats

delivered = Asset("sealed-delivery", uri="s3://bucket/sealed-delivery")
some = AssetAlias("sealed-alias")


class Defers(BaseOperator):
    def execute(self, context: Any) -> None:
        self.defer(
            trigger=Repeats("SEALED-TRIGGER-argument"),
            method_name="resume",
            kwargs={"handle": "SEALED-NEXT-kwargs"},
            timeout=timedelta(minutes=5),
        )

    def resume(self, context: Any, handle: str, event: Any) -> None:
        site_journal.write("resumed", handle=handle, payload={**event, "at": event["at"].isoformat()})


class EndsInTrigger(BaseOperator):
    def execute(self, context: Any) -> None:
        self.defer(trigger=Ends("SEALED-TRIGGER-argument"), method_name="execute")


with DAG("sealed", schedule=None):

    @task(queue="here")
    def produce(ti: Any = None) -> dict[str, Any]:
        ti.xcom_push("pushed", "SEALED-XCOM-pushed")
        return {"z": 1, "customers": ["SEALED-XCOM-returned"], "a": 2}

    @task(queue="there")
    def consume(given: dict[str, Any], ti: Any = None) -> None:
        pushed = ti.xcom_pull(task_ids="produce", key="pushed")
        site_journal.write("consumed", given=given, keys=list(given), pushed=pushed)

    @task(queue="here")
    def listed() -> list[str]:
        return ["SEALED-XCOM-one", "SEALED-XCOM-two", "SEALED-XCOM-three"]

    @task(queue="there")
    def each(one: str) -> str:
        return f"{one}-mapped"

    @task(queue="here")
    def gather(all_of_them: Any) -> None:
        site_journal.write("gathered", all=list(all_of_them), first=all_of_them[0], two=list(all_of_them[1:]))

    @task(queue="here", retries=1, retry_delay=timedelta(seconds=1))
    def remembers(task_state_store: Any = None, ti: Any = None) -> None:
        if ti.try_number == 1:
            task_state_store.set("handle", {"id": "SEALED-STATE-of-a-task"})
            raise RuntimeError("as planned")
        site_journal.write("remembered", value=task_state_store.get("handle"))

    @task(queue="here", outlets=[delivered])
    def delivers(asset_state_store: Any = None) -> Any:
        asset_state_store[delivered].set("watermark", "SEALED-STATE-of-an-asset")
        yield Metadata(delivered, extra={"rows": "SEALED-EXTRA-of-an-event"})

    @task(queue="there", inlets=[delivered])
    def looks(inlet_events: Any = None, asset_state_store: Any = None) -> None:
        site_journal.write(
            "looked",
            extra=inlet_events[delivered][-1].extra,
            watermark=asset_state_store[delivered].get("watermark"),
        )

    @task(queue="here", outlets=[some])
    def makes(outlet_events: Any = None) -> None:
        made = Asset("sealed-made", uri="s3://bucket/sealed-made", extra={"of": "SEALED-ASSET-extra"})
        outlet_events[some].add(made, extra={"rows": "SEALED-EXTRA-by-an-alias"})

    @task(queue="there", inlets=[some])
    def looks_at_what_was_made(inlet_events: Any = None) -> None:
        event = inlet_events[some][-1]
        site_journal.write("made", extra=event.extra, asset=event.asset.extra)

    @task(queue="there")
    def ended_by_trigger(ti: Any = None) -> None:
        site_journal.write("ended", value=ti.xcom_pull(task_ids="ends"))

    consume(produce())
    gather(each.expand(one=listed()))
    remembers()
    delivers() >> looks()
    makes() >> looks_at_what_was_made()
    Defers(task_id="defers", queue="here")
    EndsInTrigger(task_id="ends", queue="here") >> ended_by_trigger()
    TriggerDagRunOperator(
        task_id="starts",
        queue="here",
        trigger_dag_id="sealed_child",
        conf={"region": "SEALED-CONF-value", "rows": 3},
        wait_for_completion=True,
        poke_interval=1,
    )

with DAG("sealed_child", schedule=None, params={"region": "eu", "rows": 1}):

    @task(queue="there")
    def reads(params: Any = None, dag_run: Any = None) -> None:
        site_journal.write("child", params=dict(params), conf=dag_run.conf)

    reads()

with DAG("sealed_consumer", schedule=[delivered]):

    @task(queue="there")
    def triggered(triggering_asset_events: Any = None) -> None:
        [events] = triggering_asset_events.values()
        site_journal.write("triggered", extra=events[0].extra)

    triggered()

with DAG("sealed_again", schedule=None):

    @task(queue="there")
    def read_again(ti: Any = None, dag_run: Any = None) -> str:
        run, key = dag_run.conf["run"], dag_run.conf.get("key", "pushed")
        value = ti.xcom_pull(dag_id="sealed", task_ids="produce", key=key, run_id=run)
        site_journal.write("read_again", value=value)
        return f"{value}-again"

    read_again()
