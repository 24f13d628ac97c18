"""Dags of the cluster's tests. A task writes when it began and ended to the folder that all pods share."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from airflow.sdk import Param, dag, task

MARKS = Path("/mnt/shared/marks")


def mark(text: str) -> None:
    MARKS.mkdir(exist_ok=True)
    with (MARKS / "all").open("a") as marks:
        marks.write(f"{text} {socket.gethostname()}\n")


@dag(
    schedule=None,
    params={"count": Param(6, type="integer"), "seconds": Param(20, type="number")},
    max_active_tasks=64,
)
def load():
    @task
    def numbers(params=None) -> list[int]:
        return list(range(params["count"]))

    @task(retries=0)
    def works(number: int, params=None, ti=None) -> int:
        mark(f"began {ti.run_id} {number}")
        time.sleep(params["seconds"])
        mark(f"ended {ti.run_id} {number}")
        return number

    @task
    def sums(found) -> int:
        return sum(found)

    sums(works.expand(number=numbers()))


@dag(schedule=None)
def hungry():
    @task(retries=0)
    def eats() -> None:
        kept = []
        while True:
            kept.append(bytearray(16 << 20))

    @task(retries=0)
    def beside() -> None:
        time.sleep(15)

    eats()
    beside()


@dag(schedule=None)
def pods():
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    secure = {
        "runAsNonRoot": True,
        "runAsUser": 50000,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for name, deferrable in (("waits", False), ("defers", True)):
        KubernetesPodOperator(
            task_id=name,
            namespace="frankfurt",
            name=name,
            image="localhost/tradewind-site:1",
            cmds=["sh", "-c"],
            arguments=["echo from a pod"],
            container_security_context=secure,
            in_cluster=True,
            deferrable=deferrable,
            get_logs=True,
            startup_timeout_seconds=240,
            poll_interval=2,
        )


load()
hungry()
pods()
