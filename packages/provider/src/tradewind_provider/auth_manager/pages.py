"""The two pages that a sign-in may end with. No script, no style that a policy would have to allow."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fastapi.responses import HTMLResponse

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}


def no_role(deployment: str, contacts: Sequence[str], *, platform_url: str) -> HTMLResponse:
    """For a person who signed in and has no role here."""
    whom = f"Ask {_listed(contacts)} for one." if contacts else "Ask an owner of the organization for one."
    return _page(
        403,
        "No role in this Deployment",
        f"You are signed in, but you have no role in the Airflow of {escape(deployment)}. {whom}",
        platform_url,
        "Back to platform",
    )


def failed(why: str, *, again: str, status: int = 400) -> HTMLResponse:
    """For a sign-in that did not work; `again` is where the next try begins."""
    return _page(status, "Sign-in failed", escape(why), again, "Sign in")


def _listed(names: Sequence[str]) -> str:
    shown = [escape(name) for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _page(status: int, title: str, text: str, href: str, link: str) -> HTMLResponse:
    body = (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><main><h1>{title}</h1><p>{text}</p>"
        f"<p><a href='{escape(href, quote=True)}'>{link}</a></p></main></html>"
    )
    return HTMLResponse(body, status_code=status, headers=_HEADERS)
