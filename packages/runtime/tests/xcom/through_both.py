"""Each value through the site's backend and through Airflow's own way; prints what came of it, as JSON."""

from __future__ import annotations

import copy
import json
import sys
from collections import namedtuple
from typing import Any

import httpx
import msgspec

from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment

environment.prepare(
    Configure(
        component="worker", agent_name="a", gateway="/g", secret="", options={"state_directory": sys.argv[1]}
    )
)

import task_values  # noqa: E402
from airflow.sdk.bases.xcom import BaseXCom  # noqa: E402
from airflow.sdk.execution_time import comms  # noqa: E402
from airflow.sdk.execution_time.xcom import XCom  # noqa: E402

assert XCom.__name__ == "SiteXComBackend"
Result = namedtuple("Result", "value")
NAME = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}


def carried(value: Any) -> Any:
    """To the supervisor and to the plane and back: pydantic's JSON, MessagePack and JSON."""
    message = comms.SetXCom(key="k", value=value, dag_id="d", run_id="r", task_id="t")
    frame = comms._RequestFrame(id=1, body=message.model_dump()).as_bytes()
    body = msgspec.msgpack.Decoder(comms._RequestFrame).decode(frame[4:]).body
    return json.loads(httpx.Request("POST", "http://plane", json=body["value"]).content or "null")


def through(backend: Any, value: Any) -> tuple[str, Any]:
    try:
        sent = carried(backend.serialize_value(value, key="k", **NAME))
        if backend is XCom:
            assert isinstance(sent, str) and sent.endswith(".tradewind-xcom"), sent
    except Exception as error:
        return f"push: {type(error).__name__}", str(error)
    try:
        return "", backend.deserialize_value(Result(sent))
    except Exception as error:
        return f"pull: {type(error).__name__}", str(error)


found = {}
for name, value in task_values.VALUES.items():
    again = value if name == "generator" else copy.copy(value)
    (our_error, ours), (their_error, theirs) = through(XCom, value), through(BaseXCom, again)
    alike = our_error == their_error and (task_values.same(ours, theirs) if not our_error else ours == theirs)
    found[name] = [alike, f"{our_error} {ours!r}"[:500], f"{their_error} {theirs!r}"[:500]]
print(json.dumps(found))
