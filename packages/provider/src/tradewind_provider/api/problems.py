"""What a refusal looks like over HTTP: always `tradewind_protocol.errors.Refusal`, never HTML, never a traceback."""

from __future__ import annotations

import logging
from collections import Counter

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException

from tradewind_protocol import versions
from tradewind_protocol.errors import STATUS, Code, Refusal, Refused, malformed
from tradewind_provider.api import refusals

log = logging.getLogger(__name__)

ANSWERED: Counter[str] = Counter()
"""Refusals this process has answered with, by code: a metric. It is the process's, as Prometheus' counters are: also what answers
before a plane is known (a body too large, an application's error handler) counts here."""

_HEADERS = {versions.HEADER: str(versions.PROTOCOL)}
_BY_STATUS = {404: Code.NOT_FOUND, 405: Code.NOT_FOUND, 413: Code.TOO_LARGE, 401: Code.TOKEN_MISSING}


def response(refusal: Refusal, status: int, *, no_such_path: bool = False) -> JSONResponse:
    """A refusal as the answer to a request."""
    ANSWERED[refusal.error.value] += 1
    refusals.seen(refusal, no_such_path=no_such_path)
    headers = dict(_HEADERS)
    if refusal.error is Code.RATE_LIMITED and (wait := refusal.detail.get("retry_after")):
        headers["Retry-After"] = str(wait)
    return JSONResponse(refusal.model_dump(mode="json"), status_code=status, headers=headers)


def answer(refused: Refused) -> JSONResponse:
    """A refusal that was raised, as the answer to a request."""
    return response(refused.refusal, refused.status)


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a Refusal."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _away)
    app.add_exception_handler(
        DataError, _not_storable
    )  # PostgreSQL: NUL in a text, a text or number too long
    app.add_exception_handler(
        UnicodeError, _not_storable
    )  # half of a surrogate pair: JSON can say it, UTF-8 cannot
    app.add_exception_handler(ValueError, _wrong_value)
    app.add_exception_handler(Exception, _internal)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return answer(error)


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return response(malformed(error.errors()), 422)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _BY_STATUS.get(error.status_code, Code.INTERNAL if error.status_code >= 500 else Code.MALFORMED)
    refusal = Refusal(error=code, message=f"{request.method} {request.url.path}: {error.detail}")
    return response(refusal, error.status_code, no_such_path=code is Code.NOT_FOUND)


async def _away(request: Request, error: Exception) -> JSONResponse:
    log.warning(
        "%s %s: the database is busy or away",
        request.method,
        request.url.path,
        extra={"action": "database_away"},
    )
    refusal = Refusal(
        error=Code.UNAVAILABLE,
        message="the orchestration plane's database is busy or away",
        remedy="try again in a moment",
    )
    return response(refusal, STATUS[Code.UNAVAILABLE])


async def _not_storable(request: Request, error: Exception) -> JSONResponse:
    log.info(
        "%s %s: what was sent cannot be stored (%s)",
        request.method,
        request.url.path,
        type(error).__name__,
        extra={"action": "request_not_storable"},
    )
    refusal = Refusal(
        error=Code.MALFORMED,
        message="the request holds a text or number that cannot be stored: characters that are none, or too many",
    )
    return response(refusal, STATUS[Code.MALFORMED])


async def _wrong_value(request: Request, error: Exception) -> JSONResponse:
    if "NUL" in str(error):  # psycopg2 says so in Python's words
        return await _not_storable(request, error)
    return await _internal(request, error)


async def _internal(request: Request, error: Exception) -> JSONResponse:
    log.exception(
        "%s %s failed", request.method, request.url.path, exc_info=error, extra={"action": "request_failed"}
    )
    refusal = Refusal(
        error=Code.INTERNAL,
        message="the orchestration plane failed on this request",
        remedy="try again; the reason is in the API server's log",
    )
    return response(refusal, 500)
