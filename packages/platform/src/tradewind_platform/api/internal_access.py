"""What the API servers of a Deployment ask, who has which role, and what they report. Each request has the Deployment's credential."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from tradewind_platform.api.context import Platform, platform_of, request_origin
from tradewind_platform.domain.roles import Principal
from tradewind_platform.services import api_tokens, authorization_codes, deployment_credentials, workloads
from tradewind_platform.services.change import Event, record
from tradewind_platform.services.deployment_credentials import KnownDeployment
from tradewind_protocol import access
from tradewind_protocol.errors import Code, Refused

router = APIRouter(include_in_schema=False)


@router.get(access.ACCESS_PATH)
async def access_document(
    request: Request,
    deployment: UUID,
    since: Annotated[int | None, Query()] = None,
    hold: Annotated[float, Query(ge=0)] = access.HOLD_SECONDS,
) -> Response:
    """The access document of another revision than `since`, as soon as there is one; 204 when there was none for `hold` seconds,
    or for as long as the platform holds a request."""
    platform = platform_of(request)
    known = await run_in_threadpool(asking_deployment, request, deployment)
    documents, organization, document = platform.access_documents, known.organization, None
    if since is not None:
        seconds = min(hold, platform.access_hold_seconds) * _spread(known.id)
        revision = await platform.access_watch.wait(organization, since, seconds=seconds)
        if revision is None:
            return Response(status_code=204)
        # Hundreds of requests are answered at once: one of them reads the database.
        async with platform.access_reading:
            document = documents.known(organization, known.id, revision)
            if document is None:
                document = await run_in_threadpool(documents.of, organization, known.id)
    else:
        document = await run_in_threadpool(documents.of, organization, known.id)
    return Response(document.model_dump_json(), media_type="application/json")


def _spread(deployment: UUID) -> float:
    """From 0.75 to 1, another one for each Deployment: after a start of the platform all of them ask at once, and would do so again
    at the end of each hold."""
    return 0.75 + 0.25 * (deployment.int % 1009) / 1009


@router.post(access.USES_PATH)
def token_uses(request: Request, deployment: UUID, body: access.TokenUses) -> Response:
    """When API tokens were last used at the Deployment. 204."""
    platform, known = platform_of(request), asking_deployment(request, deployment)
    with platform.store.transaction(known.organization) as db:
        api_tokens.note_uses(db, {one.token: one.at for one in body.uses}, now=platform.clock())
    return Response(status_code=204)


@router.put(access.WORKLOAD_PATH)
def workload(request: Request, deployment: UUID, body: access.Workload) -> Response:
    """How many agents the Deployment has, and how much work. 204."""
    platform, known = platform_of(request), asking_deployment(request, deployment)
    with platform.store.transaction(known.organization) as db:
        workloads.note(db, known.id, body, now=platform.clock())
    return Response(status_code=204)


@router.post(access.END_SESSION_PATH)
def end_session(request: Request, deployment: UUID, asked: access.EndSession) -> Response:
    """A person has signed out at the Deployment: their session on the platform ends. 204. Raises Refused NOT_FOUND for a session
    that signed nobody in there."""
    platform, known = platform_of(request), asking_deployment(request, deployment)
    now = platform.clock()
    with platform.store.transaction(known.organization) as db:
        user = authorization_codes.end_session(db, asked.session, deployment=known.id, now=now)
        if user is None:
            raise Refused(Code.NOT_FOUND, f"no session {asked.session} signed anyone in to {known.name!r}")
        record(
            db,
            action="session.end",
            caller=Principal("user", user.id, user.name, ()),
            origin=request_origin(request),
            event=Event(f"user:{user.name}", deployment=known.id),
            result="done",
            now=now,
        )
    return Response(status_code=204)


def asking_deployment(request: Request, deployment: UUID) -> KnownDeployment:
    """Raises Refused TOKEN_MISSING or TOKEN_UNKNOWN."""
    platform: Platform = platform_of(request)
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise Refused(Code.TOKEN_MISSING, "the request has no credential of a Deployment")
    return deployment_credentials.authenticate(platform.store, deployment, value.strip())
