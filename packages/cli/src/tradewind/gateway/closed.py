"""What the gateway answers for a Deployment that is not served at the moment."""

from __future__ import annotations

from typing import Any, Final

from tradewind.gateway.settings import Closed
from tradewind_protocol import versions
from tradewind_protocol.errors import STATUS, Code, Refusal

RETRY_AFTER: Final = {Closed.HIBERNATING: 15, Closed.UPGRADING: 3}
"""Seconds: agents are back so long after the Deployment at the most."""
_SENTENCES: Final = {
    Closed.HIBERNATING: ("the Deployment hibernates", "It goes on when it is woken up; wait for it."),
    Closed.UPGRADING: ("the Deployment is being upgraded", "It goes on in some minutes; wait for it."),
}


def for_agents(reason: Closed) -> dict[str, Any]:
    """The protocol's refusal, so that an agent knows that it is at the right address and waits."""
    message, remedy = _SENTENCES[reason]
    refusal = Refusal(
        error=Code.UNAVAILABLE,
        message=message,
        remedy=remedy,
        detail={"reason": f"deployment_{reason.value}", "retry_after": RETRY_AFTER[reason]},
    )
    return _says(
        reason, refusal.model_dump_json(), "application/json", {versions.HEADER: [str(versions.PROTOCOL)]}
    )


def for_people(reason: Closed) -> dict[str, Any]:
    message, remedy = _SENTENCES[reason]
    return _says(reason, f"{message}\n{remedy}\n", "text/plain; charset=utf-8", {})


def _says(reason: Closed, body: str, kind: str, more: dict[str, list[str]]) -> dict[str, Any]:
    headers = {
        "Content-Type": [kind],
        "Retry-After": [str(RETRY_AFTER[reason])],
        "Cache-Control": ["no-store"],
        **more,
    }
    handler = {
        "handler": "static_response",
        "status_code": STATUS[Code.UNAVAILABLE],
        "headers": headers,
        "body": body,
    }
    return {"handle": [handler], "terminal": True}
