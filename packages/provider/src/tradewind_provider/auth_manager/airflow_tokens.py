"""Airflow's own token for an API token of the platform, as scripts ask Airflow's other auth managers for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from jwt import InvalidTokenError
from pydantic import ValidationError

from tradewind_protocol.access import API_TOKEN_PREFIX
from tradewind_protocol.messages import Message

if TYPE_CHECKING:
    from tradewind_provider.auth_manager.manager import TradewindAuthManager


class TokenRequest(Message):
    """`token`, or, as scripts for Airflow's other auth managers send it, `username` (ignored) and `password`: an API token."""

    token: str = ""
    username: str = ""
    password: str = ""


def router(manager: TradewindAuthManager) -> APIRouter:
    routes = APIRouter()

    @routes.post("/token")
    async def token(request: Request, authorization: Annotated[str, Header()] = "") -> Response:
        """Airflow's own token for an API token."""
        api_token = _in_header(authorization) or await _in_body(request)
        if api_token is None:
            raise HTTPException(
                400, f"Send an API token of the platform ({API_TOKEN_PREFIX}…) as `token` or as `password`"
            )
        try:
            user = manager.user_of_api_token(api_token)
        except InvalidTokenError as problem:
            raise HTTPException(401, str(problem)) from None
        return JSONResponse(
            {"access_token": manager.generate_jwt(user)}, 201, headers={"Cache-Control": "no-store"}
        )

    return routes


def _in_header(authorization: str) -> str | None:
    scheme, _, bearer = authorization.partition(" ")
    is_api_token = scheme.lower() == "bearer" and bearer.strip().startswith(API_TOKEN_PREFIX)
    return bearer.strip() if is_api_token else None


async def _in_body(request: Request) -> str | None:
    """Of a body in JSON or of a form."""
    body = await request.body()
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            asked = TokenRequest.model_validate_json(body)
        else:
            asked = TokenRequest.model_validate(dict(parse_qsl(body.decode(errors="replace"))))
    except ValidationError:
        return None
    return next((one for one in (asked.token, asked.password) if one.startswith(API_TOKEN_PREFIX)), None)
