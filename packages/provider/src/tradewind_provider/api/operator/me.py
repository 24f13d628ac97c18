"""Who is signed in."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from tradewind_protocol import operator
from tradewind_provider import settings
from tradewind_provider.airflow import permissions
from tradewind_provider.services import client_address

router = APIRouter(prefix="/me", tags=["You"])


@router.get("", summary="Who you are and what you may do here")
def get(user: Annotated[Any, Depends(permissions.get_user)]) -> operator.Me:
    """For every signed-in user, so that a page can leave out what the user may not do."""
    here = settings.current()
    return operator.Me(
        name=permissions.name_of(user),
        may=permissions.names_of_all(user),
        deployment=here.deployment,
        version=_version(),
        policy=here.policies.default,
        tokens_limit=here.tokens_limit,
        address=client_address.address(),
    )


def _version() -> str:
    try:
        return version("tradewind-provider")
    except PackageNotFoundError:
        return ""
