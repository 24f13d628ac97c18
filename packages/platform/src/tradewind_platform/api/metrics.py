"""Prometheus' metrics of the organization."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from tradewind_platform.api.context import platform_of
from tradewind_platform.api.reads import reading
from tradewind_platform.services import metrics
from tradewind_protocol import prometheus

router = APIRouter()


@router.get("/metrics", response_class=PlainTextResponse)
def get_metrics(request: Request) -> Response:
    """Deployments, operations, backups and controllers, in Prometheus' text format. Every process of a platform says the same."""
    with reading(request) as (db, caller):
        now = platform_of(request).clock()
        found = metrics.look(db, caller, now=now, version=version("tradewind-platform"))
    return Response(metrics.text(found), media_type=prometheus.CONTENT_TYPE)
