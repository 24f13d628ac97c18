"""Dates with zones, decimals, ids and paths are read back as what they were.

apache/airflow#48511, apache/airflow#54952: what the serializer knows has to pass whatever XCom backend a site has.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pendulum
import witness
from airflow.sdk import DAG, task

SCENARIO = {
    "ends": {"xcom_keeps_rich_types": "success"},
    "differs_under_strict": {
        "seen: *write* refused: *": "LocalExecutor's way to the database takes no integer of more than 64 bits",
        "seen: *read* pulled: value=int 1180591620717411303424": "a site's storage does",
        "seen: *read* pulled: value=Decimal *": "the same number; PostgreSQL writes it as an integer",
        "seen: *read* pulled: value=None": "the same",
        "seen: *read* pulled: value=float *0.0": "PostgreSQL's JSON has no negative zero",
    },
}

MOMENT = datetime(2026, 3, 29, 1, 59, tzinfo=timezone.utc)
VALUES = {
    "utc": MOMENT,
    "berlin": MOMENT.astimezone(ZoneInfo("Europe/Berlin")),
    "pendulum": pendulum.datetime(2026, 3, 29, 3, 30, tz="America/New_York"),
    "naive": datetime(2026, 1, 1, 12),
    "date": date(2026, 2, 28),
    "delta": timedelta(days=1, microseconds=5),
    "duration": pendulum.duration(hours=3),
    "decimal": Decimal("12345678901234567890.123456789"),
    "uuid": uuid.UUID(int=7),
    "big": 2**70,
    "float": 0.1 + 0.2,
    "negative_zero": -0.0,
}

with DAG("xcom_keeps_rich_types", schedule=None):

    @task
    def write(ti=None):
        for name, value in VALUES.items():
            try:
                ti.xcom_push(key=name, value=value)
            except Exception as problem:
                witness.saw("refused", name=name, type=type(problem).__name__)

    @task
    def read(ti=None):
        for name in VALUES:
            witness.saw("pulled", name=name, value=ti.xcom_pull(task_ids="write", key=name))

    write() >> read()
