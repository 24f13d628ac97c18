"""`python -m benchmarks.rules`: the CPU that a dozen of the owner's rules cost an agent, for each task and for each read.

Only the judging is measured: no process is started and nothing is read over a socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone

from tradewind_agent.rules import Work, parse, refusal, task_rules
from tradewind_agent.rules.reads import read_refusal
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.boundary import OwnRun, classify, outside

TIMES = 2_000


def main() -> None:
    rules = parse({"rule": [_rule(number) for number in range(12)]})
    now = datetime.now(timezone.utc)
    offered = Work(kind=WorkKind.TASK, dag="dag_11", task="t", queue="default", bundle="b")
    started = Work(
        kind=WorkKind.TASK, dag="dag_11", task="t", queue="default", bundle="b", user="ada", conf={}
    )
    own = OwnRun("dag_11", "r", "t")
    found = classify("GET", "/connections/dag_11_db")
    assert found is not None

    def task() -> None:
        assert refusal(rules, offered, now) is None
        assert refusal(rules, started, now) is None
        task_rules(rules, "dag_11")

    def read() -> None:
        for one in outside(found, b"", own):
            assert read_refusal(rules, one, own) is None

    print(f"for a task: {_milliseconds(task):.3f} ms of CPU; for a read: {_milliseconds(read):.3f} ms")


def _rule(number: int) -> dict[str, object]:
    dag = f"dag_{number:02}"
    return {"name": dag, "dags": [f"{dag}*"], "users": ["ada", "bob"], "connections": [f"{dag}_*"]}


def _milliseconds(judged: Callable[[], None]) -> float:
    judged()
    began = time.process_time()
    for _ in range(TIMES):
        judged()
    return (time.process_time() - began) / TIMES * 1000


if __name__ == "__main__":
    main()
