"""The files of the Remote Agents page. They hold nothing of this plane, so they need no sign-in."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tradewind_protocol import errors
from tradewind_provider import ui

router = APIRouter(prefix="/ui", include_in_schema=False)

_FOR_A_YEAR = "public, max-age=31536000, immutable"  # the address changes with the file


@router.get("/{name}")
def get(name: str, request: Request, v: str = "") -> Response:
    """One file, kept by browsers for as long as its address names its fingerprint."""
    try:
        content, mark = ui.content(name), ui.fingerprint(name)
    except KeyError:
        raise errors.Refused(errors.Code.NOT_FOUND, "the page has no such file") from None
    headers = {
        "ETag": f'"{mark}"',
        "Cache-Control": _FOR_A_YEAR if v == mark else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=ui.FILES[name], headers=headers)
