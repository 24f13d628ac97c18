"""Logs of the components of a Deployment."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from tradewind_platform.api.context import caller_of, platform_of
from tradewind_platform.api.parameters import Reference
from tradewind_platform.domain.component_logs import MOST_LINES
from tradewind_protocol.errors import Refusal
from tradewind_protocol.platform_life import ComponentLogView

router = APIRouter()

Component = Annotated[
    str,
    Path(max_length=50, pattern=r"^[a-z0-9-]+$", description="api-server, scheduler or migrate."),
]
Lines = Annotated[int, Query(ge=1, le=MOST_LINES, description="So many at the most.")]


@router.get(
    "/deployments/{deployment}/logs/{component}",
    responses={503: {"model": Refusal, "description": "The log is on the machine of another process"}},
)
def get_component_log(
    request: Request, deployment: Reference, component: Component, lines: Lines = 200
) -> ComponentLogView:
    """The last lines that a component of the Deployment has written, from the last 256 KiB. Secrets that the platform knows of are
    masked. Those of a cluster with a controller stay in that cluster."""
    caller = caller_of(request)
    logs = platform_of(request).component_logs
    return logs.read(caller.organization, caller.principal, deployment, component, lines)
