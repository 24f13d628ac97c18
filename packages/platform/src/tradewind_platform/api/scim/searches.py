"""Searches whose filter and page are in the body of a POST, so that no address has them (RFC 7644, 3.4.3)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tradewind_platform.api.reads import reading
from tradewind_platform.api.scim import answers
from tradewind_platform.api.scim.bodies import Sent
from tradewind_platform.api.scim.errors import ScimRoute
from tradewind_platform.domain.scim_resources import Group, User, query, query_of_all
from tradewind_platform.services import scim_listings

router = APIRouter(route_class=ScimRoute)


@router.post("/Users/.search")
def search_users(request: Request, body: Sent) -> Response:
    asked = query(User, body)
    with reading(request) as (db, _):
        return answers.listed(request, scim_listings.users(db, asked), asked)


@router.post("/Groups/.search")
def search_groups(request: Request, body: Sent) -> Response:
    asked = query(Group, body)
    with reading(request) as (db, _):
        return answers.listed(request, scim_listings.groups(db, asked), asked)


@router.post("/.search")
def search(request: Request, body: Sent) -> Response:
    """People first, then groups."""
    asked = query_of_all(body)
    with reading(request) as (db, _):
        return answers.listed(request, scim_listings.everything(db, asked), asked)
