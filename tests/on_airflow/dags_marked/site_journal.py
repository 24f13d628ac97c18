"""What user code writes down, so that a test judges from what ran and not from what we say ran."""

from __future__ import annotations

import json
import os
import time


def write(event: str, **facts: object) -> None:
    """Append one line to the site's journal. One write call: lines of parallel tasks do not mix."""
    line = json.dumps({"event": event, "pid": os.getpid(), "at": time.time(), **facts}) + "\n"
    with open(os.environ["SITE_JOURNAL"], "a") as journal:
        journal.write(line)
