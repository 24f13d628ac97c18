"""A connection or variable that the site does not have, under strict: the task's log says why the plane's is not read."""

from __future__ import annotations

import json
from typing import Any

from support import prepared_hosts

PROBE = """
import json, sys
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
for _ in range(2):
    environment.prepare(Configure(component="worker", agent_name="a", gateway="/g", secret="", **json.loads(sys.argv[1])))
import structlog
from airflow.sdk import Connection, Variable
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, task_runner
class Comms:
    def send(self, msg):
        kinds = {"GetConnection": ErrorType.CONNECTION_NOT_FOUND, "GetVariable": ErrorType.VARIABLE_NOT_FOUND}
        return comms.ErrorResponse(error=kinds[type(msg).__name__])
    async def asend(self, msg):
        return self.send(msg)
task_runner.SUPERVISOR_COMMS = Comms()
said = []
def noting(logger, method, event):
    said.append(event["event"])
    raise structlog.DropEvent
structlog.configure(processors=[noting])
def missing(call, *args):
    try:
        return call(*args)
    except Exception as error:
        return type(error).__name__
made = [missing(Connection.get, "warehouse"), missing(Connection.get, "warehouse"), missing(Connection.get, "team/warehouse"),
        Variable.get("limit", default=5), missing(Variable.get, "other"), missing(Connection.get, "here").host]
print(json.dumps([made, [text for text in said if "site" in text]]))
"""


def looked_up(**configure: Any) -> Any:
    here = '{"conn_type": "http", "host": "here.example"}'
    answer = prepared_hosts.run(PROBE, json.dumps(configure), AIRFLOW_CONN_HERE=here)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def test_what_is_not_read_under_strict_is_said_once_with_its_remedy():
    made, said = looked_up()
    assert made[3] == 5
    assert made[5] == "here.example"
    assert [text.split(" is in none")[0] for text in said] == [
        "The connection 'warehouse'",
        "The connection 'team/warehouse'",
        "The variable 'limit'",
        "The variable 'other'",
    ]
    assert "One on the plane is not read: the site's data policy for connections is strict" in said[0]
    assert 'set `connections = "open"` in the agent\'s settings' in said[0]


def test_nothing_is_said_of_what_is_read():
    _, said = looked_up(policy="open")
    assert said == []
    _, said = looked_up(options={"connections": "open", "variables": "strict"})
    assert [text.split(" is in none")[0] for text in said] == ["The variable 'limit'", "The variable 'other'"]
