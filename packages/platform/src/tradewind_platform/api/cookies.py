"""The cookies of sign-in: never readable by scripts, of this host only, and over TLS only where there is TLS."""

from __future__ import annotations

from starlette.responses import Response

from tradewind_platform.domain.origins import cookie_name, is_secure

SESSION = "tw_session"


def set_cookie(response: Response, origin: str, value: str, *, name: str = SESSION, seconds: int) -> None:
    response.set_cookie(
        cookie_name(origin, name),
        value,
        max_age=seconds,
        path="/",
        secure=is_secure(origin),
        httponly=True,
        samesite="lax",
    )


def delete_cookie(response: Response, origin: str, *, name: str = SESSION) -> None:
    response.delete_cookie(
        cookie_name(origin, name), path="/", secure=is_secure(origin), httponly=True, samesite="lax"
    )
