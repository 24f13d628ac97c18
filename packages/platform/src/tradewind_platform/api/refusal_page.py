"""A refusal as a page, for a browser that shows what it is answered."""

from __future__ import annotations

import html
from typing import Final

from fastapi.responses import HTMLResponse

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}


def refusal_page(title: str, *sentences: str, status: int, link: bool = True) -> HTMLResponse:
    """`link`: to the platform's pages."""
    text = "".join(f"<p>{html.escape(one)}</p>" for one in sentences)
    there = "<p><a href='/'>Open the platform</a></p>" if link else ""
    body = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<main><h1>{html.escape(title)}</h1>{text}{there}</main></html>"
    )
    return HTMLResponse(body, status, headers=_HEADERS)
