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
    """Pods of the tasks' own, in a restricted namespace. The connection of the site names the image of the sidecar that hands a value over."""
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    secure = {
        "runAsNonRoot": True,
        "runAsUser": 50000,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    common = {
        "namespace": "frankfurt",
        "image": "localhost/tradewind-site:1",
        "container_security_context": secure,
        "in_cluster": True,
        "get_logs": True,
        "startup_timeout_seconds": 240,
    }
    for name, deferrable in (("waits", False), ("defers", True)):
        KubernetesPodOperator(
            task_id=name,
            name=name,
            cmds=["sh", "-c"],
            arguments=["echo from a pod"],
            deferrable=deferrable,
            poll_interval=2,
            **common,
        )

    @task.kubernetes(**common, do_xcom_push=True, xcom_sidecar_container_security_context=secure)
    def adds(one: int, other: int):
        import socket

        return {"sum": one + other, "host": socket.gethostname()}

    @task
    def reads(found) -> None:
        assert found["sum"] == 42, found
        assert found["host"].startswith("k8s-airflow-pod-adds"), found

    reads(adds(40, 2))


load()
hungry()
pods()
