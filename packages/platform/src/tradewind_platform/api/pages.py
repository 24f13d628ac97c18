"""Serves the web pages: one document for the address of each page, and the script that draws them.

The document's policy lets nothing but the platform's own script run, and no style in but by a value that is new with
each answer. So a page cannot be made to run what somebody wrote into a description or a name.
"""

from __future__ import annotations

import gzip
import hashlib
import secrets
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from tradewind_platform.api.context import platform_of
from tradewind_platform.domain.origins import is_secure
from tradewind_protocol.platform import PREFIX

ASSETS: Final = "/assets"
_TYPES: Final = {
    "platform.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "third-party-licenses.md": "text/markdown; charset=utf-8",
}
_FOREVER: Final = "public, max-age=31536000, immutable"
_NO_PAGES: Final = tuple(f"{one}/" for one in (PREFIX, ASSETS, "/internal", "/oauth"))

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'nonce-{nonce}'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

_DOCUMENT: Final = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Tradewind</title>
    <link rel="icon" href="{icon}">
    <script src="{script}" nonce="{nonce}" defer></script>
  </head>
  <body>
    <div id="root"></div>
    <noscript>The pages of the platform need JavaScript. Its API and the command tradewind do without.</noscript>
  </body>
</html>
"""


@dataclass(frozen=True)
class Asset:
    """A file of the pages, as it is and compressed."""

    body: bytes
    compressed: bytes
    type: str
    version: str


def assets() -> dict[str, Asset]:
    """The files of the pages by name. Read once by each application: they change with the distribution only."""
    folder = files("tradewind_platform.ui")
    found = {}
    for name, type in _TYPES.items():
        body = folder.joinpath(name).read_bytes()
        digest = hashlib.sha256(body).hexdigest()[:16]
        found[name] = Asset(body, gzip.compress(body, mtime=0), type, digest)
    return found


def router() -> APIRouter:
    """The routes of the pages. They come last: what no other route answers is the address of a page."""
    found, made = assets(), APIRouter(include_in_schema=False)

    @made.api_route(f"{ASSETS}/{{name}}", methods=["GET", "HEAD"])
    def asset(request: Request, name: str) -> Response:
        one = found.get(name)
        if one is None:
            raise HTTPException(404)
        headers = {"ETag": f'"{one.version}"', "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
        # Only the address of this very content may be kept: the next release has another one.
        current = request.query_params.get("v") == one.version
        headers["Cache-Control"] = _FOREVER if current else "no-cache"
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                one.compressed, media_type=one.type, headers=headers | {"Content-Encoding": "gzip"}
            )
        return Response(one.body, media_type=one.type, headers=headers)

    @made.api_route("/{path:path}", methods=["GET", "HEAD"])
    def document(request: Request, path: str) -> Response:
        """The one document of all pages, for a browser. A program that asks for something else gets 404."""
        if f"/{path}/".startswith(_NO_PAGES) or "text/html" not in request.headers.get("accept", ""):
            raise HTTPException(404)
        nonce = secrets.token_urlsafe(16)
        text = _DOCUMENT.format(
            nonce=nonce,
            script=f"{ASSETS}/platform.js?v={found['platform.js'].version}",
            icon=f"{ASSETS}/icon.svg?v={found['icon.svg'].version}",
        )
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": _POLICY.format(nonce=nonce),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        if is_secure(platform_of(request).origin):
            headers["Strict-Transport-Security"] = "max-age=31536000"
        return Response(text, media_type="text/html; charset=utf-8", headers=headers)

    return made
