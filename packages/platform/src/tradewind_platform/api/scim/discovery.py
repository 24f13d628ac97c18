"""What the platform says of its SCIM: what it can do, which resources it has, and their attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from scim2_models import Context, ListResponse, Meta, Resource

from tradewind_platform.api.context import platform_of
from tradewind_platform.api.scim.errors import MEDIA_TYPE, ScimRoute, failed
from tradewind_platform.domain.scim_resources import SERVICE
from tradewind_platform.services.scim_tokens import PATH
from tradewind_protocol.errors import Code, Refused

router = APIRouter(route_class=ScimRoute)
_KNOWN: Final = frozenset({"ServiceProviderConfig", "ResourceTypes", "Schemas", "Users", "Groups"})
_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@router.get("/ServiceProviderConfig")
def service_provider_config(request: Request) -> Response:
    assert SERVICE.config is not None
    return _shown(request, SERVICE.config, "ServiceProviderConfig", "ServiceProviderConfig")


@router.get("/ResourceTypes")
def resource_types(request: Request) -> Response:
    return _listed(request, SERVICE.resource_types, "ResourceType")


@router.get("/ResourceTypes/{id}")
def resource_type(request: Request, id: str) -> Response:
    return _one(request, SERVICE.resource_types, "ResourceType", id)


@router.get("/Schemas")
def schemas(request: Request) -> Response:
    return _listed(request, SERVICE.schemas, "Schema")


@router.get("/Schemas/{id}")
def schema(request: Request, id: str) -> Response:
    return _one(request, SERVICE.schemas, "Schema", id)


@router.api_route("/{rest:path}", methods=_METHODS)
def anything_else(request: Request, rest: str) -> Response:
    """Included last. What SCIM describes and the platform does not do is 501, another method 405, anything else 404."""
    first, _, then = rest.partition("/")
    if first in ("Me", "Bulk"):
        return failed(501, f"{request.method} /{rest[:100]} is not supported")
    if first in _KNOWN and then.count("/") == 0:
        return failed(405, f"{request.method} is not possible here")
    return failed(404, f"there is nothing at /{rest[:100]}")


def _one(request: Request, found: Sequence[Resource[Any]], kind: str, id: str) -> Response:
    for one in found:
        if one.id == id:
            return _shown(request, one, kind, f"{kind}s/{id}")
    raise Refused(Code.NOT_FOUND, f"there is no {kind} {id[:100]!r}")


def _shown(request: Request, one: Resource[Any], kind: str, path: str) -> Response:
    return JSONResponse(
        _located(request, one, kind, path).model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE),
        media_type=MEDIA_TYPE,
    )


def _listed(request: Request, found: Sequence[Resource[Any]], kind: str) -> Response:
    # Filters and pages do not apply here (RFC 7644, 4): there are two of each.
    if "filter" in request.query_params:
        raise Refused(Code.NOT_PERMITTED, f"{kind}s cannot be filtered")
    resources = [_located(request, one, kind, f"{kind}s/{one.id}") for one in found]
    page = cast(Any, ListResponse)[type(found[0])](
        total_results=len(found), start_index=1, items_per_page=len(found), resources=resources
    )
    return JSONResponse(page.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE), media_type=MEDIA_TYPE)


def _located(request: Request, one: Resource[Any], kind: str, path: str) -> Resource[Any]:
    location = f"{platform_of(request).origin}{PATH}/{path}"
    meta = Meta.model_validate({"resourceType": kind, "location": location})
    return one.model_copy(update={"meta": meta})
