"""Refusals of Airflow's own sign-in, in the form of every other refusal of ours."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tradewind_protocol.errors import Code, Refusal
from tradewind_provider.api import problems

_REMEDY = "Sign in to Airflow, or send an API token of POST /auth/token as `Authorization: Bearer …`."
_BY_STATUS = {404: Code.NOT_FOUND, 405: Code.NOT_FOUND}


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a Refusal."""
    problems.install(app)
    app.add_exception_handler(HTTPException, _http)


async def _http(request: Request, problem: Exception) -> JSONResponse:
    """What Airflow's dependencies and the router raise."""
    assert isinstance(problem, HTTPException)
    text = str(problem.detail)
    if problem.status_code == 401:
        expired = "expired" in text.lower()
        code = Code.TOKEN_EXPIRED if expired else Code.TOKEN_MISSING
        message = "the sign-in has expired" if expired else "you are not signed in"
        # 401 whatever the code: on it, a client that can ask for a password signs in again
        return problems.response(Refusal(error=code, message=message, remedy=_REMEDY), 401)
    if problem.status_code == 403:
        # Airflow's word for a token it cannot read; what a user may not do is refused by us
        refusal = Refusal(error=Code.TOKEN_MALFORMED, message=f"Airflow says: {text}", remedy=_REMEDY)
        return problems.response(refusal, 401)
    if problem.status_code == 400:  # FastAPI's word for a body that cannot be read at all
        refusal = Refusal(error=Code.MALFORMED, message=f"the request is not valid: {text}")
        return problems.response(refusal, 422)
    code = Code.INTERNAL if problem.status_code >= 500 else Code.MALFORMED
    message = f"{request.method} {request.url.path}: {text}"
    refusal = Refusal(error=_BY_STATUS.get(problem.status_code, code), message=message)
    return problems.response(refusal, problem.status_code)
