"""What tests of sealed values share: a seal that can be read, and the two ways through the boundary."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import uuid4

from tradewind_protocol import triggers
from tradewind_protocol.boundary import (
    CannotOpen,
    Change,
    OwnRun,
    OwnTask,
    Pass,
    Rules,
    Sealing,
    TriggerEvents,
    ValueSeal,
    classify,
    decide,
    decide_verb,
    execution_answer,
    keyed,
)
from tradewind_protocol.sessions import Policy

STRICT, OPEN = Rules(), Rules.of(Policy.OPEN)
TI = str(uuid4())
OWN = OwnRun("etl", "run 1", "extract", 3)
XCOM = "/xcoms/etl/run 1/extract/return_value"
STATE = f"/task-instances/{TI}/state"
BY = "frankfurt, key 2026-11"


def ring(text: str) -> str:
    return f"2026-11.{base64.urlsafe_b64encode(text.encode()).decode()}"


def open_(form: str) -> str:
    key, _, text = form.partition(".")
    if key != "2026-11":
        raise CannotOpen(f"no key {key!r}")
    return base64.urlsafe_b64decode(text.encode()).decode()


def with_key(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def sent(
    method: str, path: str, body: Any, *, query: bytes = b"", rules: Rules = STRICT, **how: Any
) -> tuple[Any, tuple[str, ...]]:
    """What leaves the site, and what the ledger says that it carries."""
    found = classify(method, path)
    assert found is not None
    sealing = Sealing(with_key, ValueSeal(ring, BY, **how), OWN, query)
    decision = decide(found, json.dumps(body).encode(), rules, sealing)
    assert isinstance(decision, Change)
    on_the_plane = decide(found, decision.body, STRICT)
    assert isinstance(on_the_plane, Pass), "the plane of a strict site takes it"
    return json.loads(decision.body), decision.carries


def come_back(
    method: str,
    path: str,
    body: Any,
    *,
    query: bytes = b"",
    own: OwnRun | None = OWN,
    required: frozenset[str] = frozenset(),
) -> Any:
    found = classify(method, path)
    assert found is not None
    return json.loads(execution_answer(found, json.dumps(body).encode(), open_, query, own, required))


def reported(event: Any, waits: OwnTask | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    body = {"reports": [{"seq": 1, "trigger_id": 5, "event": event}]}
    events = TriggerEvents(ValueSeal(ring, BY), lambda trigger_id: waits)
    decision = decide_verb(triggers.SYNC, json.dumps(body).encode(), STRICT, keyed(b"k"), with_key, events)
    assert isinstance(decision, Change | Pass)
    report = json.loads(decision.body if isinstance(decision, Change) else json.dumps(body))["reports"][0]
    return report, decision.carries
