"""People, as an identity provider creates, changes and deactivates them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.reads import reading
from tradewind_platform.api.scim import answers
from tradewind_platform.api.scim.bodies import Sent
from tradewind_platform.api.scim.errors import ScimRoute
from tradewind_platform.domain.scim_resources import User, read
from tradewind_platform.services import scim_listings, scim_users

router = APIRouter(route_class=ScimRoute)


@router.get("/Users")
def list_users(request: Request) -> Response:
    asked = answers.asked(request, User)
    with reading(request) as (db, _):
        return answers.listed(request, scim_listings.users(db, asked), asked)


@router.post("/Users")
def create_user(request: Request, body: Sent) -> Response:
    return answers.made(
        request, "user.create", lambda change: scim_users.create(change, read(User, body)), status=201
    )


@router.get("/Users/{id}")
def get_user(request: Request, id: str) -> Response:
    asked = answers.asked(request, User)
    with reading(request) as (db, _):
        return answers.shown(request, scim_users.get(db, id), asked)


@router.put("/Users/{id}")
def replace_user(request: Request, id: str, body: Sent) -> Response:
    return answers.made(
        request, "user.update", lambda change: scim_users.replace(change, id, read(User, body))
    )


@router.patch("/Users/{id}")
def patch_user(request: Request, id: str, body: Sent) -> Response:
    return answers.made(request, "user.update", lambda change: scim_users.patch(change, id, body))


@router.delete("/Users/{id}")
def delete_user(request: Request, id: str) -> Response:
    return changes.run(request, "user.delete", None, lambda change: scim_users.delete(change, id), status=204)
