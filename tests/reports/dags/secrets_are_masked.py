"""Passwords of connections, sensitive variables and what mask_secret names are masked in logs and tracebacks.

apache/airflow#54540, apache/airflow#47845, apache/airflow#42420.
"""

from __future__ import annotations

import logging

import witness
from airflow.sdk import DAG, BaseHook, Variable, task
from airflow.sdk.log import mask_secret

log = logging.getLogger(__name__)

SCENARIO = {
    "ends": {"secrets_are_masked": "failed"},
    "lines": {"secrets_are_masked/prints": ["uri ***", "json ***", "variable ***", "own ***", "logged ***"]},
}

with DAG("secrets_are_masked", schedule=None):

    @task
    def prints():
        uri, stored = BaseHook.get_connection("masked"), BaseHook.get_connection("odd_json")
        print("uri", uri.password)
        print("json", stored.password)
        print("variable", Variable.get("api_password"))
        mask_secret("MASKED-own-value")
        print("own", "MASKED-own-value")
        log.info("logged %s", uri.password)
        log.info("in a mapping %s", {"password": "MASKED-uri-password", "list": [stored.password]})
        witness.saw("real", password=uri.password, variable=Variable.get("api_password"))
        raise RuntimeError(f"the traceback has {uri.password}")

    @task
    def in_another_task():
        print("not read here")

    prints()
    in_another_task()
