"""Requests to the Airflow of a Deployment: its operator API and its REST API, as the caller, in the caller's role."""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from tradewind_platform.api.context import platform_of
from tradewind_platform.api.parameters import Reference
from tradewind_platform.api.reads import reading
from tradewind_platform.domain.deployment_access import DeploymentAccess
from tradewind_platform.domain.operations import GONE, Phase
from tradewind_platform.security import trust
from tradewind_platform.security.airflow_tokens import token_for
from tradewind_platform.services import clusters, deployment_lookup, deployment_views, secrets
from tradewind_platform.store.tables import Cluster
from tradewind_protocol import paths
from tradewind_protocol.errors import Code, Refused

log = logging.getLogger(__name__)
router = APIRouter()

_OPEN: Final = (paths.OPERATOR_PREFIX + "/", "/api/v2/")
_TIMEOUT: Final = httpx.Timeout(60, connect=10)
_MOST_BYTES: Final = 32 * 1024 * 1024
_PASSED: Final = ("content-type", "accept", "user-agent")
_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@router.api_route("/deployments/{deployment}/airflow/{path:path}", methods=_METHODS, include_in_schema=False)
async def ask_airflow(request: Request, deployment: Reference, path: str) -> Response:
    """Pass a request on. The Deployment's own audit trail has the caller's name."""
    asked = "/" + path
    if not asked.startswith(_OPEN) or ".." in asked.split("/"):
        raise Refused(
            Code.NOT_FOUND,
            f"{asked} is not passed on to a Deployment",
            remedy=f"What begins with {' or '.join(_OPEN)} is.",
        )
    url, host, token = await run_in_threadpool(_way, request, deployment)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            raise Refused(Code.TOO_LARGE, f"a request has {_MOST_BYTES} bytes at the most")
    headers = {key: value for key, value in request.headers.items() if key in _PASSED}
    headers |= {"Host": host, "Authorization": f"Bearer {token}"}
    # The platform's machine is a gateway to the plane, and a gateway that says nothing of the endpoint is taken for a broken one.
    headers[paths.ENDPOINT_HEADER] = "public"
    if request.client is not None:
        headers["X-Forwarded-For"] = request.client.host
    try:
        async with httpx.AsyncClient(verify=trust.of_this_machine(), timeout=_TIMEOUT) as client:
            answer = await client.request(
                request.method,
                url + asked,
                params=httpx.QueryParams(request.url.query),
                content=bytes(body),
                headers=headers,
            )
    except httpx.HTTPError as error:
        log.info("the Airflow of a Deployment does not answer: %s", error, extra={"action": "airflow_away"})
        raise Refused(
            Code.UNAVAILABLE,
            f"the Airflow of the Deployment {deployment!r} does not answer",
            remedy="Its health says why: on its page Overview, and by `tradewind deployments get`.",
        ) from None
    return Response(
        answer.content, status_code=answer.status_code, media_type=answer.headers.get("content-type")
    )


def _way(request: Request, reference: str) -> tuple[str, str, str]:
    """Address, host name and a token of Airflow. Raises Refused for a caller without a role in it."""
    platform = platform_of(request)
    with reading(request) as (db, caller):
        row = deployment_lookup.found(db, caller, reference)
        access = DeploymentAccess.of(caller, deployment_lookup.target(row))
        if access is None:
            raise Refused(Code.NOT_PERMITTED, f"{caller.name} has no role in the Airflow of {row.name!r}")
        if row.phase in (*GONE, Phase.ASLEEP) or row.observed_revision == 0:
            raise Refused(
                Code.CONFLICT, f"the Deployment {row.name!r} is {row.phase}, so its Airflow does not run"
            )
        key = secrets.of(db, platform.ring, row.id)["jwt"]
        people_url = deployment_views.people_url(db.get_one(Cluster, row.cluster_id), row.slug)
        remote = clusters.has_controller(db, row.cluster_id)
    token = token_for(row.id, key, name=caller.name, access=access, id=caller.id)
    address = people_url if remote or platform.address is None else platform.address(row.slug)
    return address, urlsplit(people_url).netloc, token
