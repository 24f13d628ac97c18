"""Groups, as an identity provider makes them and moves people in and out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.reads import reading
from tradewind_platform.api.scim import answers
from tradewind_platform.api.scim.bodies import Sent
from tradewind_platform.api.scim.errors import ScimRoute
from tradewind_platform.domain.scim_resources import Group, read
from tradewind_platform.services import scim_groups, scim_listings

router = APIRouter(route_class=ScimRoute)


@router.get("/Groups")
def list_groups(request: Request) -> Response:
    asked = answers.asked(request, Group)
    with reading(request) as (db, _):
        return answers.listed(request, scim_listings.groups(db, asked), asked)


@router.post("/Groups")
def create_group(request: Request, body: Sent) -> Response:
    return answers.made(
        request, "group.create", lambda change: scim_groups.create(change, read(Group, body)), status=201
    )


@router.get("/Groups/{id}")
def get_group(request: Request, id: str) -> Response:
    asked = answers.asked(request, Group)
    with reading(request) as (db, _):
        return answers.shown(request, scim_groups.get(db, id), asked)


@router.put("/Groups/{id}")
def replace_group(request: Request, id: str, body: Sent) -> Response:
    return answers.made(
        request, "group.update", lambda change: scim_groups.replace(change, id, read(Group, body))
    )


@router.patch("/Groups/{id}")
def patch_group(request: Request, id: str, body: Sent) -> Response:
    return answers.made(request, "group.update", lambda change: scim_groups.patch(change, id, body))


@router.delete("/Groups/{id}")
def delete_group(request: Request, id: str) -> Response:
    return changes.run(
        request, "group.delete", None, lambda change: scim_groups.delete(change, id), status=204
    )
