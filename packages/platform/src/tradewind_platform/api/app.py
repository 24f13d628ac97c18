"""The application."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from starlette.routing import BaseRoute

from tradewind_platform.api import (
    airflow_proxy,
    allowed_addresses,
    audit,
    clusters,
    controllers,
    custom_roles,
    deployments,
    identity_provider,
    internal_access,
    life,
    me,
    metrics,
    oauth,
    pages,
    people,
    problems,
    resources,
    scim_settings,
    sign_in,
    sign_in_settings,
    terminal_sign_in,
)
from tradewind_platform.api.address_check import AllowedAddressCheck
from tradewind_platform.api.authentication import Authentication
from tradewind_platform.api.body_limit import BodyLimit
from tradewind_platform.api.context import Platform, platform_of
from tradewind_platform.api.request_origin import RequestOrigin
from tradewind_platform.api.scim import router as scim
from tradewind_platform.api.scim.authentication import ScimAuthentication
from tradewind_protocol.errors import Refusal
from tradewind_protocol.platform import PREFIX

_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Refusal, "description": description}
    for status, description in (
        (401, "The request has no API token and no session, or one that the platform does not know"),
        (403, "The caller's role does not allow it, its token has ended, or its address is not allowed"),
        (404, "There is no such thing, or the caller may not know of it"),
        (409, "Not in the state it is in"),
        (412, "It has another revision than If-Match says"),
        (413, "The body is larger than one may be"),
        (422, "The request makes no sense"),
        (429, "The caller sends too many requests: `Retry-After` has the seconds to wait"),
    )
}


def create_app(platform: Platform) -> FastAPI:
    """The platform's API and its pages."""
    app = FastAPI(
        title="Tradewind platform API",
        description="Workspaces, clusters, Deployments, API tokens, operations and the audit trail of an organization. "
        "A request carries an API token, `Authorization: Bearer tw_api_…`, or the cookie of a session. "
        "So many requests of a token are answered in a second: 25 that read, 10 that change and 5 that delete, unless the operator of the "
        "platform has set other rates, and ten seconds' worth at once. One more is answered with 429 and `Retry-After`.",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.platform = platform
    problems.install(app)
    app.router.routes.extend(_routes())
    app.add_middleware(BodyLimit)
    app.add_middleware(ScimAuthentication, platform=platform)
    app.add_middleware(Authentication, platform=platform)
    app.add_middleware(AllowedAddressCheck, platform=platform)
    app.add_middleware(controllers.ClusterAuthentication, platform=platform)
    app.add_middleware(RequestOrigin)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Every route. A route finds its platform in the request: all applications of a process share what takes long to make."""
    router = APIRouter()
    versioned = APIRouter(prefix=PREFIX, responses=_REFUSALS)
    for one in (
        me,
        people,
        custom_roles,
        sign_in_settings,
        scim_settings,
        allowed_addresses,
        resources,
        clusters,
        deployments,
        life,
        airflow_proxy,
        audit,
        metrics,
    ):
        versioned.include_router(one.router)
    # First what is asked most: a request is held against one route after the other.
    router.include_router(internal_access.router)
    router.include_router(versioned)
    for beside in (controllers, sign_in, identity_provider, oauth, terminal_sign_in, scim):
        router.include_router(beside.router)

    @router.get("/healthz", include_in_schema=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", include_in_schema=False)
    def readyz(request: Request) -> dict[str, str]:
        """503 while the database does not answer."""
        platform_of(request).store.require_database()
        return {"status": "ready"}

    router.include_router(pages.router())
    return tuple(router.routes)
