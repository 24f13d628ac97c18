"""What a supervisor does with a log that goes to a storage later: the agent uploads it, part after part."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

PROBE = """
import json, os
from pathlib import Path
import structlog
from airflow.sdk import log as airflow_log
from tradewind_protocol.hosts import Configure
from tradewind_protocol.states import Component
from tradewind_runtime.airflow import log_storage
os.environ["AIRFLOW__LOGGING__REMOTE_LOGGING"] = "True"  # set now: importing Airflow would look for the provider
os.environ["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] = "s3://someone@bucket/logs"
NAME = "dag_id=d/run_id=r/task_id=t/attempt=1.log"
FOLDER = Path(airflow_log.init_log_file(NAME)).parents[3]
WAITING = FOLDER.parent / "waiting"
def logger():
    file = airflow_log.init_log_file(NAME).open("ab")
    line = structlog.processors.JSONRenderer(serializer=lambda *a, **k: json.dumps(*a, **k).encode())
    return structlog.wrap_logger(structlog.BytesLogger(file), processors=[line])
def said(file):
    return [json.loads(line)["event"] for line in file.read_text().splitlines()]
def waiting():
    return [said(part / NAME) for part in sorted(WAITING.iterdir()) if (part / NAME).exists()] if WAITING.exists() else []
def here():
    return said(FOLDER / NAME) if (FOLDER / NAME).exists() else []
"""


@pytest.fixture
def site(probing: Callable[..., Any], tmp_path: Path) -> Any:
    logs = {"AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "task-logs")}
    return partial(probing, PROBE, state=tmp_path / "agent", environ=logs)


def test_a_running_tasks_log_is_handed_over_in_parts_without_a_lost_line(site: Any) -> None:
    found = site(
        "[(one := logger()), one.info('first'), log_storage.hand_over(one, WAITING), one.info('second'), "
        "log_storage.hand_over(one, WAITING), log_storage.hand_over(one, WAITING), one.info('third'), waiting(), here()][-2:]"
    )
    assert found == [[["first"], ["second"]], ["third"]]


def test_the_last_part_does_not_overtake_one_that_waits(site: Any) -> None:
    configure = (
        "Configure(component=Component.WORKER, agent_name='', gateway='', secret='', "
        "options={'waiting_logs': str(WAITING)})"
    )
    found = site(
        f"[log_storage.keep_failed_uploads({configure}), (one := logger()), one.info('first'), "
        "log_storage.hand_over(one, WAITING), one.info('last'), airflow_log.upload_to_remote(one), waiting(), here()][-2:]"
    )
    assert found == [[["first"], ["last"]], []]


def test_the_agent_is_told_where_logs_go_without_who_signs_in(site: Any) -> None:
    assert site("log_storage.of_this_process().model_dump()") == {"url": "s3://bucket/logs", "retried": True}
