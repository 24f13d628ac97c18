"""Values of many kinds, handed over in every way that Airflow has, and a log."""

from __future__ import annotations

import logging
import os
from typing import Any

import site_journal
from airflow.sdk import DAG, Asset, BaseOperator, PokeReturnValue, task
from stored_trigger import ReadsXCom

NAME = os.environ["SITE_NAME"]
SITE = {"site": NAME}
log = logging.getLogger("site.code")


def told(where: str, value: Any) -> None:
    site_journal.write("told", where=where, value=repr(value), **SITE)


class Deferring(BaseOperator):
    def execute(self, context: Any) -> None:
        log.info("before the trigger")
        context["ti"].xcom_push("note", "from the task")
        self.defer(
            trigger=ReadsXCom(dag_id=self.dag_id, run_id=context["run_id"], task_id=self.task_id),
            method_name="resume",
        )

    def resume(self, context: Any, event: Any) -> None:
        log.info("after the trigger")
        told("trigger", event["value"])
        told("of the trigger", context["ti"].xcom_pull(task_ids=self.task_id, key="of_the_trigger"))


def called_back(context: Any) -> None:
    told("callback", context["ti"].xcom_pull(task_ids="nested"))
    context["ti"].xcom_push("of_the_callback", ("of the callback",))
    told("of the callback", context["ti"].xcom_pull(task_ids="takes", key="of_the_callback"))


with DAG(f"{NAME}_stored", schedule=None):

    @task
    def nested():
        return (1, ("two", [3.0, {"four": (5,)}]), None, "ü😀")

    @task(on_success_callback=called_back)
    def takes(value):
        told("task", value)

    @task
    def frame():
        import pandas

        return pandas.DataFrame({"a": [1, 2], "b": [0.5, None]})

    @task
    def takes_frame(value):
        told("frame", value.to_dict("list"))

    @task
    def numbers():
        return [1, 2, 3]

    @task
    def square(number):
        return number * number

    @task
    def total(squares):
        told("mapped", sum(squares))

    @task.sensor(poke_interval=1, mode="reschedule", timeout=60)
    def senses(ti=None):
        ti.xcom_push("poked", {"times": 1})
        return PokeReturnValue(is_done=True, xcom_value={"sensed": True})

    @task
    def takes_sensed(value, ti=None):
        told("sensor", value)
        told("of the sensor", ti.xcom_pull(task_ids="senses", key="poked"))

    @task.bash
    def renders():
        return "echo template {{ ti.xcom_pull(task_ids='numbers') | sum }}"

    @task
    def takes_rendered(value):
        told("template", value)

    @task
    def remembers(task_state_store=None):
        task_state_store.set("job", {"id": (7 * 6)})
        told("state", task_state_store.get("job"))
        task_state_store.delete("job")
        told("deleted state", task_state_store.get("job"))

    @task(inlets=[Asset(f"{NAME}-asset")], outlets=[Asset(f"{NAME}-asset")])
    def of_asset(asset_state_store=None):
        store = asset_state_store[Asset(f"{NAME}-asset")]
        store.set("mark", [1, 2])
        told("asset state", store.get("mark"))

    @task
    def large():
        return "x" * 20_000_000

    @task
    def takes_large(value):
        told("large", (len(value), set(value)))

    takes(nested())
    takes_frame(frame())
    listed = numbers()
    total(square.expand(number=listed))
    takes_sensed(senses())
    rendered = renders()
    listed >> rendered
    takes_rendered(rendered)
    remembers()
    of_asset()
    takes_large(large())
    Deferring(task_id="deferring")

with DAG(f"{NAME}_talks", schedule=None):

    @task
    def talks():
        for number in range(3):
            log.info("line %s of the site", number)

    talks()

with DAG(f"{NAME}_dies", schedule=None):

    @task
    def dies():
        import signal

        log.info("last words")
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    dies()
