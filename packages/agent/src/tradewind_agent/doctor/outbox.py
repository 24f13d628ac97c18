"""Does anything wait that the plane should have heard long ago?"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator

from tradewind_agent.doctor.examined import Examination
from tradewind_protocol.checks import Result, failed, ok, warning

CHECK = "outbox"
_OLD = 300.0


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Reads beside a running agent."""
    path = examination.settings.state_dir / "outbox.sqlite"
    if not path.exists():
        yield ok(CHECK, "no outcome was ever kept")
        return
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            count, oldest = db.execute("select count(*), min(at) from entry").fetchone()
        finally:
            db.close()
    except sqlite3.Error as error:
        yield failed(
            CHECK,
            f"{path} cannot be read: {error}",
            "Stop the agent and move the file away: outcomes in it are lost, and their tasks count as lost",
        )
        return
    if not count:
        yield ok(CHECK, "nothing waits for the plane")
        return
    age = time.time() - oldest
    evidence = f"{count} requests wait for the plane, the oldest for {age:.0f} s"
    if age > _OLD:
        yield warning(CHECK, evidence, "They go out when the plane answers; the agent's log says why not yet")
    else:
        yield ok(CHECK, evidence)
