"""What the agent's log never holds."""

from __future__ import annotations

import pytest

from tradewind_agent.monitoring import logs
from tradewind_protocol import ids


@pytest.mark.parametrize(
    "prefix", [ids.AGENT_TOKEN_PREFIX, ids.SESSION_TOKEN_PREFIX, ids.LOCAL_SECRET_PREFIX]
)
def test_a_credential_is_cut_to_its_prefix_wherever_it_stands(prefix: str):
    secret = ids.new_secret(prefix)
    event = {"event": f"x {secret} y", "deep": {"list": [secret, ValueError(secret)]}, "number": 3}
    cleaned = logs.without_credentials(None, "info", event)
    assert secret not in repr(cleaned) and secret[:-3] not in repr(cleaned)
    assert ids.shown(secret) in str(cleaned["event"]) and cleaned["number"] == 3
