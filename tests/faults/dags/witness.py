"""Writes down what user code does, with one write call a line: lines of parallel processes do not mix."""

from __future__ import annotations

import json
import os
import select
import time
import uuid


def write(event, **facts):
    line = json.dumps({"event": event, "pid": os.getpid(), "at": time.time(), **facts}) + "\n"
    descriptor = os.open(os.environ["SITE_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


class Span:
    """One stretch of user code."""

    def __init__(self, ti):
        self.facts = {
            "span": uuid.uuid4().hex,
            "run": ti.run_id,
            "task": ti.task_id,
            "map_index": ti.map_index if ti.map_index is not None else -1,
            "attempt": ti.try_number,
            "agent": os.environ["SITE_AGENT"],
        }
        self.say("start")

    def say(self, event, **facts):
        write(event, **self.facts, **facts)

    def work(self, seconds):
        """Be busy, and show it."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            select.select([], [], [], min(left, 0.2))  # time.sleep is not itself under libfaketime
            self.say("tick")
