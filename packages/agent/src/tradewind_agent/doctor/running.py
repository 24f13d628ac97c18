"""What does the agent that runs from this state directory say is wrong?"""

from __future__ import annotations

from collections.abc import AsyncIterator

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.monitoring import status
from tradewind_protocol.checks import Result, ok, skipped, warning

CHECK = "agent"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Reads what it left; asks it nothing."""
    document = status.read(examination.settings.state_dir)
    if document is None or not examination.running:
        yield skipped(CHECK, "it does not run now")
        return
    found = [each for each in document.get("findings", []) if isinstance(each, dict)]
    for each in found:
        said = f"{each.get('message', '')} [{each.get('check', '')}]"
        yield warning(CHECK, said, str(each.get("remedy") or "See the agent's log"))
    if not found:
        yield ok(CHECK, "the agent that runs finds nothing wrong with itself")
