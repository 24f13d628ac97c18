"""What most Dags do: XCom, mapping, retries, branching, setup and teardown, sensors, pools, parameters."""

from __future__ import annotations

from datetime import datetime, timedelta

import site_journal
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import (
    DAG,
    ExceptionRetryPolicy,
    Param,
    PokeReturnValue,
    RetryAction,
    RetryRule,
    get_current_context,
    setup,
    task,
    task_group,
    teardown,
)

with DAG("hello", schedule=None):

    @task
    def say(ti=None, dag_run=None):
        site_journal.write("hello", run=dag_run.run_id, host=ti.hostname)

    say()

with DAG("xcom", schedule=None):

    @task(multiple_outputs=True)
    def produce():
        return {"answer": 42, "words": ["SECRET-XCOM-alpha", "beta"]}

    @task
    def consume(answer, words, ti=None):
        site_journal.write("consumed", answer=answer, words=words, whole=ti.xcom_pull(task_ids="produce"))

    made = produce()
    consume(made["answer"], made["words"])

with DAG("mapped", schedule=None):

    @task
    def numbers():
        return [1, 2, 3]

    @task
    def double(n):
        return n * 2

    @task
    def total(all_of):
        site_journal.write("total", total=sum(all_of))
        return sum(all_of)

    @task_group
    def both(n):
        @task
        def one_more(m):
            return m + 1

        return one_more(double.override(task_id="twice")(n))

    total(double.expand(n=numbers()))
    total.override(task_id="total_of_groups")(both.expand(n=numbers()))

with DAG("retries", schedule=None):

    @task(retries=2, retry_delay=timedelta(seconds=1))
    def flaky(ti=None):
        site_journal.write("flaky", attempt=ti.try_number)
        if ti.try_number < 3:
            raise RuntimeError("not yet")

    flaky()

with DAG("retry_policy", schedule=None):
    policy = ExceptionRetryPolicy(
        rules=[
            RetryRule(exception="builtins.ValueError", action=RetryAction.FAIL, reason="bad data stays bad"),
            RetryRule(
                exception="builtins.OSError",
                action=RetryAction.RETRY,
                retry_delay=timedelta(seconds=1),
                reason="try again",
            ),
        ]
    )

    @task(retries=5, retry_delay=timedelta(minutes=10), retry_policy=policy)
    def bad_data():
        raise ValueError("bad data")

    @task(retries=5, retry_delay=timedelta(minutes=10), retry_policy=policy)
    def bad_line(ti=None):
        if ti.try_number == 1:
            raise OSError("line is down")

    bad_data()
    bad_line()

with DAG("branching", schedule=None):

    @task.branch
    def choose():
        return "left"

    @task.short_circuit
    def stop_here():
        return False

    left, right, never = (EmptyOperator(task_id=name) for name in ("left", "right", "never"))
    choose() >> [left, right]
    left >> stop_here() >> never

with DAG("setup_teardown", schedule=None):

    @setup
    def open_it():
        site_journal.write("setup")

    @task
    def use_it():
        raise RuntimeError("breaks in use")

    @teardown
    def close_it():
        site_journal.write("teardown")

    opened = open_it()
    opened >> use_it() >> close_it().as_teardown(setups=opened)

with DAG("reschedule", schedule=None):

    @task.sensor(poke_interval=1, timeout=60, mode="reschedule")
    def ready(ti=None):
        site_journal.write("poked")
        started = ti.get_first_reschedule_date(get_current_context())
        done = started is not None and datetime.now(started.tzinfo) - started > timedelta(seconds=2)
        return PokeReturnValue(is_done=done, xcom_value="ready")

    ready()

with DAG("parameters", schedule=None, params={"colour": Param("red", type="string")}):

    @task
    def show(params=None):
        site_journal.write("colour", colour=params["colour"])

    show()

with DAG("pools", schedule=None, max_active_tasks=16):

    @task(pool="one_at_a_time")
    def alone(n, ti=None):
        import time

        site_journal.write("pool_start", n=n)
        time.sleep(0.3)
        site_journal.write("pool_end", n=n)

    for index in range(3):
        alone.override(task_id=f"alone_{index}", priority_weight=index + 1)(index)

with DAG("dated", schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=4):

    @task
    def day(logical_date=None):
        site_journal.write("day", day=logical_date.date().isoformat())

    day()
