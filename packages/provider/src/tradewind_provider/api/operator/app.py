"""The operator API: what people, their scripts and the UI ask of the plane, under /tradewind/v1."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from tradewind_protocol.errors import Refusal
from tradewind_provider.api.ingress.address_gate import LiveAddressGate
from tradewind_provider.api.operator import (
    agents,
    allowed,
    attempts,
    bundles,
    connectivity,
    description,
    events,
    me,
    page,
    problems,
    queues,
    recipes,
    sentinels,
    site_access,
    tokens,
)

_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": description}
    for status, description in (
        (401, "The caller is not signed in"),
        (403, "The user's role does not allow it"),
        (404, "There is no such thing"),
        (409, "Not in the state it is in"),
        (422, "The request makes no sense"),
    )
}


def create_app(gate: LiveAddressGate | None = None) -> FastAPI:
    """The application mounted at /tradewind. Airflow's auth manager decides who may do what.

    `gate` is the API server's, which reads a changed list of addresses at once.
    """
    app = FastAPI(
        title="Tradewind operator API",
        description="Agents, their tokens, queues, attempts and the audit trail of one orchestration plane. "
        "Signed in to as Airflow's own API is: the UI's cookie, or a token of `POST /auth/token`.",
        version="1",
        docs_url=None,
        redoc_url=None,
    )
    app.state.gate = gate or LiveAddressGate()
    problems.install(app)
    for noun in (
        tokens,
        allowed,
        connectivity,
        site_access,
        agents,
        attempts,
        queues,
        bundles,
        sentinels,
        events,
        recipes,
        me,
    ):
        app.include_router(noun.router, prefix="/v1", responses=_REFUSALS)
    app.include_router(page.router)
    app.include_router(description.router)
    return app
