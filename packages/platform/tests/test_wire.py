"""Documents cross the wire whole."""

from __future__ import annotations

import json
from uuid import UUID

from support.platform_parts import NOW
from tradewind_platform.domain.health import Condition, ConditionType, Status
from tradewind_platform.reconciler import wire
from tradewind_platform.reconciler.driver import BackupFile, Document

DOCUMENT = Document(
    id=UUID(int=7),
    slug="d2345abc",
    number=3,
    name="sales",
    revision=2,
    spec={"policy": "strict", "size": {"api_servers": 2}},
    agent_url="https://c2345abc.external.example.com/d2345abc",
    people_url="https://d2345abc.c2345abc.example.com",
    secrets={"fernet": "f", "jwt": "j"},
    configuration={"core": {"parallelism": "8"}},
    environment={"REGION": "eu"},
    before={"policy": "standard"},
    arguments={"deadline": 60},
    backup=BackupFile(UUID(int=8), "AP8ga2V5"),
    since=NOW,
)


def test_a_document_is_the_same_after_the_wire() -> None:
    assert wire.from_json(json.loads(wire.to_json(DOCUMENT))) == DOCUMENT


def test_equal_documents_have_one_digest_and_no_secret_is_in_their_repr() -> None:
    again = wire.from_json(json.loads(wire.to_json(DOCUMENT)))
    assert wire.digest_of(wire.to_json(again)) == wire.digest_of(wire.to_json(DOCUMENT))
    assert "key" not in repr(DOCUMENT) or "'f'" not in repr(DOCUMENT)


def test_a_condition_of_a_newer_controller_is_left_out() -> None:
    seen = [
        Condition(ConditionType.MIGRATED, Status.TRUE, observed_revision=2),
        Condition(ConditionType.ROUTE_SERVED, Status.FALSE, "NoAnswer", "No.", "Look.", observed_revision=2),
    ]
    newer = wire.reported(seen)[0].model_copy(update={"type": "SomethingNew"})
    assert wire.understood([*wire.reported(seen), newer]) == seen
