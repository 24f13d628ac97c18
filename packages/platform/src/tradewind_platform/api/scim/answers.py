"""Resources, pages of them and changes as answers of SCIM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from fastapi import Request
from fastapi.responses import JSONResponse
from scim2_models import Context, ListResponse, Reference, Resource, SearchRequest

from tradewind_platform.api import changes
from tradewind_platform.api.context import platform_of
from tradewind_platform.api.scim.errors import MEDIA_TYPE
from tradewind_platform.domain import scim_resources
from tradewind_platform.domain.scim_resources import AnyResource, Group, User
from tradewind_platform.services import scim_tokens
from tradewind_platform.services.change import Change
from tradewind_platform.services.scim_listings import Listing


def asked(request: Request, model: type[AnyResource]) -> SearchRequest[AnyResource]:
    """Filter, page and attributes that the address of a request names. Raises Refused MALFORMED."""
    names = {"filter", "startIndex", "count", "attributes", "excludedAttributes"}
    return scim_resources.query(
        model, {key: one for key, one in request.query_params.items() if key in names}
    )


def made(
    request: Request, action: str, change: Callable[[Change], AnyResource], *, status: int = 200
) -> JSONResponse:
    """Make a change with its one audit event, and show what it made. SCIM knows no keys of requests, so none counts."""
    kept: list[AnyResource] = []

    def keep(one: Change) -> None:
        kept[:] = [change(one)]

    changes.run(request, action, None, keep, keyed=False)
    context = Context.RESOURCE_CREATION_RESPONSE if status == 201 else Context.RESOURCE_REPLACEMENT_RESPONSE
    return shown(request, kept[0], asked(request, type(kept[0])), status=status, context=context)


def shown(
    request: Request,
    resource: AnyResource,
    query: SearchRequest[AnyResource],
    *,
    status: int = 200,
    context: Context = Context.RESOURCE_QUERY_RESPONSE,
) -> JSONResponse:
    """A resource, with its address."""
    located = _located(request, resource)
    body = located.model_dump(scim_ctx=context, response_parameters=query)
    headers = {"Location": _location(request, resource)}
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def listed(request: Request, found: Listing[Any], query: SearchRequest[Any]) -> JSONResponse:
    """A page of resources."""
    kind = cast(Any, ListResponse)[User | Group]
    page = kind(
        total_results=found.total,
        start_index=found.start,
        items_per_page=len(found.resources),
        resources=[_located(request, one) for one in found.resources],
    )
    body = page.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=query)
    return JSONResponse(body, media_type=MEDIA_TYPE)


def _located(request: Request, resource: AnyResource) -> AnyResource:
    if resource.meta is not None:
        resource.meta.location = _location(request, resource)
    if isinstance(resource, Group):
        for member in resource.members or ():
            member.ref = Reference(f"{platform_of(request).origin}{scim_tokens.PATH}/Users/{member.value}")
    return resource


def _location(request: Request, resource: Resource[Any]) -> str:
    kind = f"{type(resource).__name__}s"
    return f"{platform_of(request).origin}{scim_tokens.PATH}/{kind}/{resource.id}"
