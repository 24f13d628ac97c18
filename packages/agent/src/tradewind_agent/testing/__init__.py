"""A plane and a launcher for tests: real HTTP semantics and the real protocol, nothing outside the process.

`FakePlane` is an ASGI application; give it to an agent with `httpx.ASGITransport(app=plane)`, alone or behind
`LosingAnswers`. It holds tokens, sessions, attempts and commands, so that a test reads as a scenario. `FakeLauncher`
starts `FakeProcess`es, whose attempts end when the test, or the loop's clock, says so.
"""

from tradewind_agent.testing.losing import LosingAnswers
from tradewind_agent.testing.plane import FakePlane
from tradewind_agent.testing.processes import FakeLauncher, FakeProcess
from tradewind_agent.testing.records import FakeAttempt, FakeSession, LogReader

__all__ = [
    "FakeAttempt",
    "FakeProcess",
    "FakeLauncher",
    "FakePlane",
    "FakeSession",
    "LogReader",
    "LosingAnswers",
]
