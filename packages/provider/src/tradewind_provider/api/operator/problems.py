"""Every answer of the operator API that is not 2xx is a `Refusal`, whoever refused: we, Airflow's sign-in or FastAPI."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tradewind_protocol.errors import STATUS, Code, Refusal, Refused

log = logging.getLogger(__name__)

_SIGN_IN = "Sign in to Airflow, or send an API token of POST /auth/token as `Authorization: Bearer …`."


def install(app: FastAPI) -> None:
    """Make `app` answer that way."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(Exception, _unexpected)


def _answer(refusal: Refusal, status: int | None = None) -> JSONResponse:
    return JSONResponse(refusal.model_dump(mode="json"), status_code=status or STATUS[refusal.error])


async def _refused(_: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, Refused)
    return _answer(problem.refusal)


async def _http(request: Request, problem: Exception) -> JSONResponse:
    """What Airflow's own dependencies and the router raise."""
    assert isinstance(problem, HTTPException)
    said = str(problem.detail)
    if problem.status_code == 401:
        code = Code.TOKEN_EXPIRED if "expired" in said.lower() else Code.TOKEN_MISSING
        message = "the sign-in has expired" if code is Code.TOKEN_EXPIRED else "nobody is signed in"
        # 401 whatever the code: a client that knows a password signs in again on it
        return _answer(Refusal(error=code, message=message, remedy=_SIGN_IN), 401)
    if problem.status_code == 403:
        # Airflow answers so to a token it cannot read; what a user may not do is refused by us
        return _answer(
            Refusal(error=Code.TOKEN_MALFORMED, message=f"Airflow says: {said}", remedy=_SIGN_IN), 401
        )
    if problem.status_code in (404, 405):
        message = f"there is no {request.method} {request.url.path} in the operator API"
        return _answer(Refusal(error=Code.NOT_FOUND, message=message), problem.status_code)
    code = Code.MALFORMED if problem.status_code < 500 else Code.INTERNAL
    return _answer(Refusal(error=code, message=said), problem.status_code)


async def _malformed(_: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, RequestValidationError)
    # where and what, never the input itself
    wrong = [
        {"where": ".".join(str(part) for part in one["loc"]), "what": one["msg"]} for one in problem.errors()
    ]
    message = "; ".join(f"{one['where']}: {one['what']}" for one in wrong)
    return _answer(Refusal(error=Code.MALFORMED, message=message, detail={"fields": wrong}))


async def _unexpected(request: Request, problem: Exception) -> JSONResponse:
    log.error(
        "The operator API failed at %s %s",
        request.method,
        request.url.path,
        exc_info=problem,
        extra={"action": "operator_api_failed"},
    )
    message = "the plane failed at this request; its log says why"
    return _answer(Refusal(error=Code.INTERNAL, message=message))
