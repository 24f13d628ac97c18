"""A Dag of the other site."""

from __future__ import annotations

import socket

from airflow.sdk import dag, task


@dag(schedule=None)
def fjord():
    @task(queue="oslo")
    def where() -> None:
        assert socket.gethostname().startswith("oslo-"), socket.gethostname()

    where()


fjord()
