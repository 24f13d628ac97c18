"""Refusals in SCIM's form (RFC 7644, 3.12). None has anything of a request's body in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from scim2_models import Error
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from tradewind_platform.api.body_limit import BodyTooLarge
from tradewind_platform.api.problems import headers_of
from tradewind_protocol.errors import STATUS, Code, Refused

log = logging.getLogger(__name__)
MEDIA_TYPE: Final = "application/scim+json"


class ScimRoute(APIRoute):
    """A route whose refusals are answered in SCIM's form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except Refused as error:
                return refused(error)
            except RequestValidationError:
                return failed(400, "the body is no JSON object, or has what is no text", "invalidSyntax")
            except BodyTooLarge as error:
                return refused(Refused.as_told(error.refusal))
            except HTTPException as error:  # a body that is no JSON
                return failed(error.status_code, "the body cannot be read as JSON", "invalidSyntax")
            except RecursionError:  # of the library, which follows a filter or a path as deep as it goes
                return failed(400, "the filter or the path is nested too deeply", "invalidFilter")
            except OperationalError:
                log.warning(
                    "%s %s: the database is busy or away",
                    request.method,
                    request.url.path,
                    extra={"action": "database_away"},
                )
                return failed(503, "the platform's database is busy or away; try again in a moment")

        return answer


def refused(error: Refused) -> Response:
    """The answer for a refusal."""
    refusal = error.refusal
    status = 400 if refusal.error is Code.MALFORMED else STATUS[refusal.error]
    detail = ". ".join(part for part in (refusal.message, refusal.remedy) if part)
    answer = failed(status, detail, refusal.detail.get("scim_type"))
    answer.headers.update(headers_of(refusal))
    return answer


def failed(status: int, detail: str, scim_type: str | None = None) -> Response:
    body = Error(status=status, detail=detail, scim_type=scim_type).model_dump()
    return JSONResponse(body, status, media_type=MEDIA_TYPE)
