"""Documents and conditions as JSON: as a controller is given them, and as it reports them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tradewind_platform.domain.health import REPORTED, Condition, ConditionType, Status
from tradewind_platform.reconciler.driver import Document
from tradewind_protocol.controllers import ObservedCondition
from tradewind_protocol.messages import Message


class _Wire(Message):
    document: Document


def to_json(document: Document) -> str:
    """As text that is the same for equal documents. It has the Deployment's secrets."""
    return json.dumps(json.loads(_Wire(document=document).model_dump_json())["document"], sort_keys=True)


def from_json(document: Mapping[str, Any]) -> Document:
    """Raises ValueError for what is no document."""
    return _Wire.model_validate_json(json.dumps({"document": document})).document


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def reported(conditions: Iterable[Condition]) -> tuple[ObservedCondition, ...]:
    return tuple(
        ObservedCondition(
            type=one.type.value,
            status=one.status.value,
            reason=one.reason,
            message=one.message,
            remedy=one.remedy,
            observed_revision=one.observed_revision,
        )
        for one in conditions
    )


def understood(conditions: Iterable[ObservedCondition]) -> list[Condition]:
    """Those whose type this version knows: a newer controller may observe more."""
    known = {one.value for one in ConditionType if one not in REPORTED}
    return [
        Condition(
            ConditionType(one.type),
            Status(one.status),
            one.reason,
            one.message or "The controller says no more.",
            one.remedy or "Read the controller's log.",
            observed_revision=one.observed_revision,
        )
        if one.status == Status.FALSE.value
        else Condition(
            ConditionType(one.type),
            Status(one.status),
            one.reason,
            one.message,
            one.remedy,
            observed_revision=one.observed_revision,
        )
        for one in conditions
        if one.type in known
    ]
