"""Refusals as answers. None has anything of a request's body in it."""

from __future__ import annotations

import logging
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from tradewind_platform.api.body_limit import BodyTooLarge
from tradewind_platform.services.change import PreconditionFailed
from tradewind_protocol.errors import STATUS, Code, Refusal, Refused, malformed

log = logging.getLogger(__name__)

_BY_STATUS: Final = {404: Code.NOT_FOUND, 405: Code.NOT_FOUND, 413: Code.TOO_LARGE}


def answer(refusal: Refusal, status: int | None = None) -> JSONResponse:
    return JSONResponse(
        refusal.model_dump(mode="json"),
        status_code=status or STATUS[refusal.error],
        headers=headers_of(refusal),
    )


def headers_of(refusal: Refusal) -> dict[str, str]:
    """What HTTP itself says of a refusal: with which credential to come (401), or when to come back (429)."""
    if STATUS[refusal.error] == 401:
        return {"WWW-Authenticate": "Bearer"}
    wait = refusal.detail.get("retry_after") if refusal.error is Code.RATE_LIMITED else None
    return {} if wait is None else {"Retry-After": str(wait)}


def install(app: FastAPI) -> None:
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(BodyTooLarge, _too_large)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _away)
    app.add_exception_handler(Exception, _internal)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return answer(error.refusal, 412 if isinstance(error, PreconditionFailed) else None)


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return answer(malformed(error.errors()))


async def _too_large(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BodyTooLarge)
    return answer(error.refusal)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # a body that is no JSON
        return answer(Refusal(error=Code.MALFORMED, message=f"the request is not valid: {error.detail}"))
    code = _BY_STATUS.get(error.status_code, Code.INTERNAL if error.status_code >= 500 else Code.MALFORMED)
    message = f"{request.method} {request.url.path}: {error.detail}"
    found = answer(Refusal(error=code, message=message), error.status_code)
    found.headers.update(error.headers or {})
    return found


async def _away(request: Request, error: Exception) -> JSONResponse:
    return database_away(request)


def database_away(request: Request) -> JSONResponse:
    log.warning(
        "%s %s: the database is busy or away",
        request.method,
        request.url.path,
        extra={"action": "database_away"},
    )
    return answer(
        Refusal(
            error=Code.UNAVAILABLE,
            message="the platform's database is busy or away",
            remedy="Try again in a moment.",
        )
    )


async def _internal(request: Request, error: Exception) -> JSONResponse:
    log.error(
        "%s %s failed",
        request.method,
        request.url.path,
        exc_info=error,
        extra={"action": "request_failed"},
    )
    return answer(
        Refusal(
            error=Code.INTERNAL,
            message="the platform failed on this request",
            remedy="Try again; the reason is in the platform's log.",
        )
    )
